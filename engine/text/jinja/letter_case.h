// Upper and lower case as Python's str has it: by Unicode's full mappings, so that a text may grow.
#pragma once

#include <string>
#include <string_view>

namespace wisp::text::jinja {

std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);  // str.title: every letter with a case behind a character without one
std::string swap_case(std::string_view text);

// What a character is, by str.isupper(), islower(), isalpha(), isdecimal() and isdigit().
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_alphabetic(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_alphanumeric(char32_t c);

}  // namespace wisp::text::jinja
