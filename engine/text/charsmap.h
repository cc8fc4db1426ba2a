// SentencePiece's precompiled character map (tokenizer.ggml.precompiled_charsmap): what a text's characters, or runs of
// them, are replaced by before it is cut into tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wisp::text {

// The bytes are a little-endian length, that many bytes of a compact double array (XOR-compressed: the child of a node
// over byte c is at base ^ c), and replacements that each end in a zero byte. An entry of the array holds in bits 0-7
// the byte that leads to it, in bit 8 whether a key ends here, in bits 10-30 its base (shifted 8 to the left by bit 9);
// where a key ends, the entry at its base holds the offset of the replacement in bits 0-30.
class Charsmap {
 public:
  Charsmap() = default;  // replaces nothing
  // Code::invalid_file for a length that does not fit, a replacement that does not end, or one over kMaxReplacement.
  static Result<Charsmap> read(std::string_view bytes);

  struct Match {
    std::size_t length = 0;  // bytes of the text; 0: nothing is replaced
    std::string_view replacement;
  };
  // The longest key that the text starts with. Any array is safe: what points outside of it matches nothing.
  [[nodiscard]] Match longest(std::string_view text) const;

 private:
  // Keys are a few characters; a longer walk is a loop in the array.
  static constexpr std::size_t kMaxKey = 64;
  static constexpr std::size_t kMaxReplacement = 255;
  std::vector<std::uint32_t> array_;
  std::string replacements_;  // the last byte is 0
};

}  // namespace wisp::text
