// Cuts a template into tokens, with Jinja's whitespace rules as chat templates are written for them: trim_blocks (the
// newline after a block or comment tag goes), lstrip_blocks (blanks before one at the start of a line go), '-' and '+'
// signs, raw blocks, and no newline at the end of the template.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wisp::text::jinja {

enum class TokenType : std::uint8_t {
  data,  // text between tags
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,  // `text` is the value: escapes are decoded
  integer,
  real,
  op,
  end,
};

struct Token {
  TokenType type = TokenType::end;
  std::string text;
  std::uint32_t offset = 0;  // in the normalised source
  std::int64_t integer = 0;
  double real = 0;
};

// Lines end in \n alone, and not the last one.
std::string normalise_newlines(std::string_view source);

// "line 3, column 14": both from 1, columns in characters.
std::string place(std::string_view source, std::uint32_t offset);

// `source` is normalised and below 2^32 bytes. Code::invalid_file with the place.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace wisp::text::jinja
