// The formats of strings that JSON schemas name.
#pragma once

#include <optional>
#include <string_view>

namespace wisp::text::grammar {

// A regular expression for the whole text, of which every match is valid; nothing for a format that is not known.
std::optional<std::string_view> format_pattern(std::string_view format);

}  // namespace wisp::text::grammar
