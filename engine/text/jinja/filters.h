// The filters by what they work on; find_filter() looks in all.
#pragma once

#include "text/jinja/context.h"

namespace wisp::text::jinja {

Builtin find_text_filter(std::string_view name);      // filters_text.cpp: strings, numbers, JSON
Builtin find_markup_filter(std::string_view name);    // filters_markup.cpp: HTML and addresses
Builtin find_sequence_filter(std::string_view name);  // filters_sequence.cpp: what iterates

}  // namespace wisp::text::jinja
