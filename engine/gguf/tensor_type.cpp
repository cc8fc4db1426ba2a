#include "gguf/tensor_type.h"

#include <array>

namespace wisp::gguf {

namespace {

// Elements and bytes of a block. Quantised types: 32 elements a block, or 256 a super-block, with their scales.
constexpr std::array kTypes = {
    TensorTypeInfo{TensorType::f32, "F32", 1, 4},
    TensorTypeInfo{TensorType::f16, "F16", 1, 2},
    TensorTypeInfo{TensorType::q4_0, "Q4_0", 32, 18},
    TensorTypeInfo{TensorType::q4_1, "Q4_1", 32, 20},
    TensorTypeInfo{TensorType::q5_0, "Q5_0", 32, 22},
    TensorTypeInfo{TensorType::q5_1, "Q5_1", 32, 24},
    TensorTypeInfo{TensorType::q8_0, "Q8_0", 32, 34},
    TensorTypeInfo{TensorType::q8_1, "Q8_1", 32, 36},
    TensorTypeInfo{TensorType::q2_k, "Q2_K", 256, 84},
    TensorTypeInfo{TensorType::q3_k, "Q3_K", 256, 110},
    TensorTypeInfo{TensorType::q4_k, "Q4_K", 256, 144},
    TensorTypeInfo{TensorType::q5_k, "Q5_K", 256, 176},
    TensorTypeInfo{TensorType::q6_k, "Q6_K", 256, 210},
    TensorTypeInfo{TensorType::q8_k, "Q8_K", 256, 292},
    TensorTypeInfo{TensorType::iq2_xxs, "IQ2_XXS", 256, 66},
    TensorTypeInfo{TensorType::iq2_xs, "IQ2_XS", 256, 74},
    TensorTypeInfo{TensorType::iq3_xxs, "IQ3_XXS", 256, 98},
    TensorTypeInfo{TensorType::iq1_s, "IQ1_S", 256, 50},
    TensorTypeInfo{TensorType::iq4_nl, "IQ4_NL", 32, 18},
    TensorTypeInfo{TensorType::iq3_s, "IQ3_S", 256, 110},
    TensorTypeInfo{TensorType::iq2_s, "IQ2_S", 256, 82},
    TensorTypeInfo{TensorType::iq4_xs, "IQ4_XS", 256, 136},
    TensorTypeInfo{TensorType::i8, "I8", 1, 1},
    TensorTypeInfo{TensorType::i16, "I16", 1, 2},
    TensorTypeInfo{TensorType::i32, "I32", 1, 4},
    TensorTypeInfo{TensorType::i64, "I64", 1, 8},
    TensorTypeInfo{TensorType::f64, "F64", 1, 8},
    TensorTypeInfo{TensorType::iq1_m, "IQ1_M", 256, 56},
    TensorTypeInfo{TensorType::bf16, "BF16", 1, 2},
    TensorTypeInfo{TensorType::tq1_0, "TQ1_0", 256, 54},
    TensorTypeInfo{TensorType::tq2_0, "TQ2_0", 256, 66},
    TensorTypeInfo{TensorType::mxfp4, "MXFP4", 32, 17},
    TensorTypeInfo{TensorType::nvfp4, "NVFP4", 64, 36},
    TensorTypeInfo{TensorType::q1_0, "Q1_0", 128, 18},
    TensorTypeInfo{TensorType::q2_0, "Q2_0", 64, 18},
};

constexpr std::size_t kNumbers = 43;  // one past the highest type number

// kTypes by number; the gaps stay null.
constexpr auto kByNumber = [] {
  std::array<const TensorTypeInfo*, kNumbers> table{};
  for (const TensorTypeInfo& info : kTypes) table[static_cast<std::size_t>(info.type)] = &info;
  return table;
}();

}  // namespace

std::optional<TensorTypeInfo> tensor_type_info(std::uint32_t number) {
  if (number >= kNumbers || kByNumber[number] == nullptr) return std::nullopt;
  return *kByNumber[number];
}

const TensorTypeInfo& tensor_type_info(TensorType type) { return *kByNumber[static_cast<std::size_t>(type)]; }

}  // namespace wisp::gguf
