#include "gpu/weights/plane_layout.h"

#include "base/checked.h"

namespace wisp::gpu {

using gguf::TensorType;

Result<PlaneFormat> plane_format(TensorType type) {
  switch (type) {
    case TensorType::f32: return PlaneFormat{256, 0, 1};
    case TensorType::f16:
    case TensorType::bf16: return PlaneFormat{128, 0, 1};
    case TensorType::q4_0: return PlaneFormat{32, 4, 1};
    case TensorType::q4_1: return PlaneFormat{32, 8, 1};
    case TensorType::q5_0: return PlaneFormat{40, 4, 1};
    case TensorType::q5_1: return PlaneFormat{40, 8, 1};
    case TensorType::q8_0: return PlaneFormat{64, 4, 1};
    case TensorType::q2_k: return PlaneFormat{16, 40, 8};
    case TensorType::q3_k: return PlaneFormat{24, 28, 8};
    case TensorType::q4_k: return PlaneFormat{32, 32, 8};
    case TensorType::q5_k: return PlaneFormat{40, 32, 8};
    case TensorType::q6_k: return PlaneFormat{48, 36, 8};
    default: break;
  }
  return fail(Code::unsupported, "the GPU backend has no decoder for {} weights", gguf::tensor_type_info(type).name);
}

std::string_view decoder_name(TensorType type) {
  switch (type) {
    case TensorType::f32: return "f32";
    case TensorType::f16: return "f16";
    case TensorType::bf16: return "bf16";
    case TensorType::q4_0: return "q4_0";
    case TensorType::q4_1: return "q4_1";
    case TensorType::q5_0: return "q5_0";
    case TensorType::q5_1: return "q5_1";
    case TensorType::q8_0: return "q8_0";
    case TensorType::q2_k: return "q2_k";
    case TensorType::q3_k: return "q3_k";
    case TensorType::q4_k: return "q4_k";
    case TensorType::q5_k: return "q5_k";
    case TensorType::q6_k: return "q6_k";
    default: return "";
  }
}

bool is_float_type(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16;
}

Result<PlaneBytes> plane_bytes(TensorType type, std::uint32_t columns, std::uint32_t rows) {
  WISP_TRY(const PlaneFormat format, plane_format(type));
  const std::uint64_t tiles = div_up<std::uint64_t>(rows, kTileRows);
  const std::uint64_t blocks = div_up<std::uint64_t>(columns, kBlockColumns);
  const auto units = checked_mul<std::uint64_t>(tiles, blocks);
  const auto quants = units ? checked_mul<std::uint64_t>(*units, format.quant_words * 4) : std::nullopt;
  const auto scales =
      units ? checked_mul<std::uint64_t>(*units / format.scale_blocks, format.scale_words * 4) : std::nullopt;
  if (!quants || !scales) return fail(Code::limit, "a matrix of {} x {} is too large", rows, columns);
  return PlaneBytes{*quants, *scales};
}

}  // namespace wisp::gpu
