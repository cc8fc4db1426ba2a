#include "quant/random_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "base/half.h"
#include "quant/k_blocks.h"
#include "quant/legacy_blocks.h"

namespace wisp::quant {

namespace {

using gguf::TensorType;

// Where a block keeps its f16 scale d and, if it has one, its f16 min; and what random quants and sub-scales come to.
struct ScaleFields {
  TensorType type;
  std::size_t d_offset;
  std::size_t min_offset;  // kNone: symmetric
  float min_per_d;         // makes the mean 0
  float deviation_per_d;   // of the decoded values
};

constexpr std::size_t kNone = ~std::size_t{0};

// A uniform integer of n values has deviation sqrt((n^2 - 1) / 12): 1.12, 2.29, 4.61, 9.23, 18.5, 73.9 for 2 to 6 and 8
// bits. Around 0 (as scales and offset quants are) its root mean square is hardly more. The affine K formats add the
// spread of the group's mean: d * mean_q * (scale - min), where scale and min are independent.
constexpr std::array kScales = {
    ScaleFields{TensorType::q4_0, offsetof(BlockQ4_0, d), kNone, 0.0F, 4.61F},
    ScaleFields{TensorType::q4_1, offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m), -7.5F, 4.61F},
    ScaleFields{TensorType::q5_0, offsetof(BlockQ5_0, d), kNone, 0.0F, 9.23F},
    ScaleFields{TensorType::q5_1, offsetof(BlockQ5_1, d), offsetof(BlockQ5_1, m), -15.5F, 9.23F},
    ScaleFields{TensorType::q8_0, offsetof(BlockQ8_0, d), kNone, 0.0F, 73.9F},
    ScaleFields{TensorType::q2_k, offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin), 1.5F, 13.9F},
    ScaleFields{TensorType::q3_k, offsetof(BlockQ3_K, d), kNone, 0.0F, 43.3F},
    ScaleFields{TensorType::q4_k, offsetof(BlockQ4_K, d), offsetof(BlockQ4_K, dmin), 7.5F, 258.0F},
    ScaleFields{TensorType::q5_k, offsetof(BlockQ5_K, d), offsetof(BlockQ5_K, dmin), 15.5F, 527.0F},
    ScaleFields{TensorType::q6_k, offsetof(BlockQ6_K, d), kNone, 0.0F, 1366.0F},
};

const ScaleFields* find_scales(TensorType type) {
  const auto found = std::ranges::find(kScales, type, &ScaleFields::type);
  return found == kScales.end() ? nullptr : &*found;
}

bool is_float(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16;
}

template <class T>
void put(std::byte* where, T value) {
  std::memcpy(where, &value, sizeof(T));
}

void random_floats(TensorType type, float deviation, Random& random, std::span<std::byte> out) {
  const float width = deviation * std::sqrt(3.0F);  // a uniform number in [-width, width) has that deviation
  const std::size_t size = gguf::tensor_type_info(type).block_bytes;
  for (std::size_t at = 0; at < out.size(); at += size) {
    const float value = random.uniform() * width;
    if (type == TensorType::f32) put(&out[at], value);
    if (type == TensorType::f16) put(&out[at], f16_from_f32(value));
    if (type == TensorType::bf16) put(&out[at], bf16_from_f32(value));
  }
}

void random_bytes(Random& random, std::span<std::byte> out) {
  std::size_t at = 0;
  for (; at + 8 <= out.size(); at += 8) put(&out[at], random.next());
  const std::uint64_t last = random.next();
  std::memcpy(out.data() + at, &last, out.size() - at);
}

}  // namespace

bool can_randomise(TensorType type) { return is_float(type) || find_scales(type) != nullptr; }

void random_blocks(TensorType type, float deviation, Random& random, std::span<std::byte> out) {
  if (is_float(type)) return random_floats(type, deviation, random, out);
  const ScaleFields* scales = find_scales(type);
  if (scales == nullptr) return;
  random_bytes(random, out);
  const std::size_t size = gguf::tensor_type_info(type).block_bytes;
  for (std::size_t at = 0; at < out.size(); at += size) {
    // Blocks differ by up to a quarter, and by sign, which evens out that symmetric quants reach further down than up.
    const std::uint64_t bits = random.next();
    const float spread = 1.0F + 0.25F * (static_cast<float>(bits >> 48) * 0x1p-15F - 1.0F);
    const float d = deviation / scales->deviation_per_d * spread * ((bits & 1) != 0 ? 1.0F : -1.0F);
    put(&out[at + scales->d_offset], f16_from_f32(d));
    if (scales->min_offset != kNone) put(&out[at + scales->min_offset], f16_from_f32(d * scales->min_per_d));
  }
}

}  // namespace wisp::quant
