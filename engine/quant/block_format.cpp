#include "quant/block_format.h"

#include <array>
#include <string>

#include "quant/floats.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"

namespace wisp::quant {

namespace {

constexpr std::array kFormats = {
    BlockFormat{TensorType::f32, decode_f32},   BlockFormat{TensorType::f16, decode_f16},
    BlockFormat{TensorType::bf16, decode_bf16}, BlockFormat{TensorType::q4_0, decode_q4_0},
    BlockFormat{TensorType::q4_1, decode_q4_1}, BlockFormat{TensorType::q5_0, decode_q5_0},
    BlockFormat{TensorType::q5_1, decode_q5_1}, BlockFormat{TensorType::q8_0, decode_q8_0},
    BlockFormat{TensorType::q2_k, decode_q2_k}, BlockFormat{TensorType::q3_k, decode_q3_k},
    BlockFormat{TensorType::q4_k, decode_q4_k}, BlockFormat{TensorType::q5_k, decode_q5_k},
    BlockFormat{TensorType::q6_k, decode_q6_k},
};

const BlockFormat* find(TensorType type) {
  for (const BlockFormat& format : kFormats) {
    if (format.type == type) return &format;
  }
  return nullptr;
}

std::string supported_names() {
  std::string names;
  for (const BlockFormat& format : kFormats) {
    if (!names.empty()) names += ", ";
    names += gguf::tensor_type_info(format.type).name;
  }
  return names;
}

}  // namespace

Result<BlockFormat> block_format(TensorType type) {
  if (const BlockFormat* format = find(type)) return *format;
  return fail(Code::unsupported, "tensor type {} cannot be decoded yet; these can: {}",
              gguf::tensor_type_info(type).name, supported_names());
}

bool is_supported(TensorType type) { return find(type) != nullptr; }

Status decode(TensorType type, std::span<const std::byte> bytes, std::span<float> out) {
  WISP_TRY(const BlockFormat format, block_format(type));
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  const std::size_t blocks = out.size() / info.block_elements;
  if (out.size() % info.block_elements != 0 || bytes.size() % info.block_bytes != 0 ||
      bytes.size() / info.block_bytes != blocks) {
    return fail(Code::invalid_argument, "{} bytes of {} are not {} elements", bytes.size(), info.name, out.size());
  }
  format.decode(bytes.data(), blocks, out.data());
  return {};
}

}  // namespace wisp::quant
