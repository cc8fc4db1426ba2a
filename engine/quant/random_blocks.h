// Random weights in any tensor type, without an encoder: blocks of random bytes whose scales are then set, so that the
// values they decode to have mean about 0 and a chosen standard deviation. Every bit pattern of the quants occurs.
#pragma once

#include <cstdint>
#include <span>

#include "gguf/tensor_type.h"

namespace wisp::quant {

// A fast random number generator (splitmix64); its stream depends on the seed alone.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // In [-1, 1).
  float uniform() { return static_cast<float>(static_cast<std::int64_t>(next()) >> 40) * 0x1p-23F; }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

// Can random_blocks() make this type?
[[nodiscard]] bool can_randomise(gguf::TensorType type);

// Fills `out`, whole blocks of `type`, with values of standard deviation `deviation`.
void random_blocks(gguf::TensorType type, float deviation, Random& random, std::span<std::byte> out);

}  // namespace wisp::quant
