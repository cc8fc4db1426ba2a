// GGUF rows -> planes (plane_layout.h), a run of whole tiles at a time, so that loading streams.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "gguf/tensor_type.h"

namespace wisp::gpu {

// `bytes`: `rows` whole rows of `columns` as the file has them, from a row on that starts a tile. `quants` and
// `scales`: room for plane_bytes() of as many rows; rows that fill up the last tile become zero. Code::invalid_argument
// where sizes do not agree, Code::unsupported for a type without a decoder.
Status repack(gguf::TensorType type, std::uint32_t columns, std::uint32_t rows, std::span<const std::byte> bytes,
              std::span<std::uint32_t> quants, std::span<std::uint32_t> scales);

}  // namespace wisp::gpu
