// What a character is: Unicode's general category and simple case mappings, by constant-time table lookups. The tables'
// Unicode version stands in the first line of unicode_tables.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "text/utf8.h"

namespace wisp::text {

// Unicode's general category, in the order of the tables.
// clang-format off
enum class Category : std::uint8_t {
  Lu, Ll, Lt, Lm, Lo,          // letter: upper, lower, title, modifier, other
  Mn, Mc, Me,                  // mark: non-spacing, spacing, enclosing
  Nd, Nl, No,                  // number: decimal, letter, other
  Pc, Pd, Ps, Pe, Pi, Pf, Po,  // punctuation: connector, dash, open, close, initial and final quote, other
  Sm, Sc, Sk, So,              // symbol: mathematical, currency, modifier, other
  Zs, Zl, Zp,                  // separator: space, line, paragraph
  Cc, Cf, Cs, Co, Cn,          // control, format, surrogate, private use, unassigned
};
// clang-format on

// Any value is accepted; one above U+10FFFF is unassigned.
[[nodiscard]] Category category(char32_t code);

[[nodiscard]] inline bool is_letter(char32_t code) { return category(code) <= Category::Lo; }  // \p{L}
[[nodiscard]] inline bool is_mark(char32_t code) {                                             // \p{M}
  return category(code) >= Category::Mn && category(code) <= Category::Me;
}
[[nodiscard]] inline bool is_number(char32_t code) {  // \p{N}
  return category(code) >= Category::Nd && category(code) <= Category::No;
}
[[nodiscard]] inline bool is_punctuation(char32_t code) {  // \p{P}
  return category(code) >= Category::Pc && category(code) <= Category::Po;
}
[[nodiscard]] inline bool is_symbol(char32_t code) {  // \p{S}
  return category(code) >= Category::Sm && category(code) <= Category::So;
}
// \s: the White_Space property.
[[nodiscard]] bool is_space(char32_t code);

// Simple mappings; a character whose mapping is several characters (U+00DF to "SS") stays as it is.
[[nodiscard]] char32_t to_lower(char32_t code);
[[nodiscard]] char32_t to_upper(char32_t code);

// In full: "SS" for U+00DF. The title case is the upper case but for a few: "Ss", and U+01C5 for U+01C6.
void append_upper(std::string& out, char32_t code);
void append_title(std::string& out, char32_t code);

// The first character of the canonical decomposition (NFD): 'e' for U+00E9; the character itself where there is none.
[[nodiscard]] char32_t base_of(char32_t code);

}  // namespace wisp::text
