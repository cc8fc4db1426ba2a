// Formats by the marks that a template's text names, for what rendering it does not show.
#pragma once

#include <string_view>

#include "text/chat/output_format.h"

namespace wisp::text {

// A format that no template shows in full; false where the marks are of none. Where it finds the reasoning's marks too,
// nothing is left to find out.
bool known_format(std::string_view source, OutputFormat& format);
// For templates that tell a model about tools, but leave earlier calls to the caller.
void named_format(std::string_view source, CallFormat& calls);

}  // namespace wisp::text
