// The tensor types of GGUF and the size of their blocks. What the blocks mean is quant/'s business.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wisp::gguf {

// Numbers are GGUF's own (ggml_type), as they stand in files. Removed numbers (4, 5, 31-33, 36-38) are gaps.
enum class TensorType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
};

// A row of n elements is n / block_elements blocks of block_bytes each; n must be a multiple of block_elements.
struct TensorTypeInfo {
  TensorType type;
  std::string_view name;  // GGUF's spelling in upper case, as users know it: "Q4_K", "F16"
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};

// Nothing for a number that no current GGUF writer uses.
std::optional<TensorTypeInfo> tensor_type_info(std::uint32_t number);
// For a TensorType that came through the reader, which has checked the number.
const TensorTypeInfo& tensor_type_info(TensorType type);

}  // namespace wisp::gguf
