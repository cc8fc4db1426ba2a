// Calls as a grammar: what a model may write once it has begun a call.
#pragma once

#include <string>
#include <vector>

#include "text/chat/message.h"
#include "text/chat/output_format.h"

namespace wisp::text {

// GBNF text for calls of these tools, from the first byte of a trigger (call_triggers) on: the names are those of the
// tools, and arguments are any JSON object, whatever the tool's schema says. Empty for formats whose arguments are not
// JSON, and without tools.
std::string call_grammar(const OutputFormat& format, const std::vector<Tool>& tools);

}  // namespace wisp::text
