// How weights lie on the device: in tiles of 8 rows, quants and scales in separate planes.
//
// Along K a row is cut into blocks of 32 columns. In the quants plane the blocks of a tile follow each other, and
// within a block the 8 rows: 8 neighbouring lanes, one a row, read neighbouring 16-byte words, and a lane that walks
// along K reads what its neighbours' caches hold already. A block of a row is
//   4 bits:  4 words; byte i of word w holds column 4w + i in its low and column 16 + 4w + i in its high nibble
//   2 bits:  2 words, for columns 0..15 and 16..31; bits 2w..2w+1 of byte i are column 4w + i
//   1 bit:   1 word; bit w of byte i is column 4w + i
//   8 bits:  columns 0..15 of all 8 rows, then columns 16..31 of all
// and a type of 5, 6 or 3 bits has its low bits for all rows, then its high bits for all rows. The scales plane has
// units of 32 or 256 columns, by rows in the same way; wgsl/decode_*.wgsl says what is in them. A type keeps its size,
// but for the rows that fill up the last tile (zeros) and a few bytes in 256 columns. Float types have one plane:
// [tile][block of 32 columns][quads or octets of columns][row], 16 bytes each; columns that fill up the last block are
// zero.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gguf/tensor_type.h"

namespace wisp::gpu {

inline constexpr std::uint32_t kTileRows = 8;
inline constexpr std::uint32_t kBlockColumns = 32;

struct PlaneFormat {
  std::uint32_t quant_words = 0;   // of a tile's block of 32 columns, all 8 rows
  std::uint32_t scale_words = 0;   // of a tile's unit; 0 for floats
  std::uint32_t scale_blocks = 1;  // blocks of a unit: 1 or 8
};

// Code::unsupported for a type that has no decoder.
Result<PlaneFormat> plane_format(gguf::TensorType type);

// "q4_k", as in decode_q4_k.wgsl.
std::string_view decoder_name(gguf::TensorType type);
bool is_float_type(gguf::TensorType type);

struct PlaneBytes {
  std::uint64_t quants = 0, scales = 0;
};
// Of `rows` rows of `columns`. Code::limit where the sizes overflow.
Result<PlaneBytes> plane_bytes(gguf::TensorType type, std::uint32_t columns, std::uint32_t rows);

}  // namespace wisp::gpu
