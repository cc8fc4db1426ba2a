// The quantised block formats: what a block's bytes mean. Decoding here is exact and scalar: it is the reference for
// every kernel, and the slow path for everything that is not hot. One file per family (legacy, k-quants, floats).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "gguf/tensor_type.h"

namespace wisp::quant {

using gguf::TensorType;

// `blocks` whole blocks of `type` to float, bit for bit as ggml's to_float gives them.
using DecodeBlocks = void (*)(const std::byte* blocks, std::size_t n_blocks, float* out);

struct BlockFormat {
  TensorType type;
  DecodeBlocks decode;
};

// Code::unsupported, naming the type and the supported ones, when this engine cannot decode it.
Result<BlockFormat> block_format(TensorType type);
[[nodiscard]] bool is_supported(TensorType type);

// Decodes `elements` values (a multiple of the type's block size) from `bytes`. Sizes are checked.
Status decode(TensorType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace wisp::quant
