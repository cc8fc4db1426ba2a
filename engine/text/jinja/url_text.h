// Addresses in a text become links, by the rules of Jinja's urlize.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace wisp::text::jinja {

struct LinkStyle {
  std::uint64_t trim = std::numeric_limits<std::uint64_t>::max();  // characters of an address that are shown
  std::string attributes;                                          // ` rel=".."`, ..
  std::vector<std::string> schemes;                                // prefixes of further addresses: "tel:"
};

// `text` is escaped for HTML already.
std::string with_links(std::string_view text, const LinkStyle& style);
bool is_scheme_prefix(std::string_view text);

}  // namespace wisp::text::jinja
