#include "tests/gpu_kv_image.h"

#include <bit>
#include <cstring>

#include "base/half.h"

namespace wisp::test {
namespace {

// NaN as an f32, and in both halves as an f16; no quants that a kernel writes.
constexpr std::uint32_t kUnwritten = 0x7FC17E01u;

}  // namespace

KvImage::KvImage(graph::scalar::KvPart part, graph::KvType type, const graph::KvLayer& layer, std::uint32_t blocks,
                 gpu::KeyOrder keys)
    : type_(type),
      layer_(layer),
      entry_(gpu::kv_entry(type, layer.head_dim)),
      blocks_(blocks),
      by_word_(part == graph::scalar::KvPart::key && keys == gpu::KeyOrder::by_word) {
  words_.assign(std::size_t{blocks} * (gpu::kv_block_words(type, layer) + gpu::kv_block_scales(type, layer)),
                kUnwritten);
}

std::size_t KvImage::word_at(std::uint32_t block, std::uint32_t slot, std::uint32_t head, std::uint32_t word) const {
  const std::size_t start = (std::size_t{block} * layer_.kv_heads + head) * entry_.words * graph::kKvBlock;
  return start + (by_word_ ? word * graph::kKvBlock + slot : slot * entry_.words + word);
}

std::size_t KvImage::scale_at(std::uint32_t block, std::uint32_t slot, std::uint32_t head, std::uint32_t run) const {
  const std::size_t quants = std::size_t{blocks_} * gpu::kv_block_words(type_, layer_);
  return quants + ((std::size_t{block} * layer_.kv_heads + head) * graph::kKvBlock + slot) * entry_.runs + run;
}

void KvImage::fill(std::uint32_t block, std::uint32_t slot, std::uint32_t head, quant::Random& random) {
  const auto half = [&](std::uint32_t column) {
    return column < layer_.head_dim ? std::uint32_t{f16_from_f32(random.uniform())} : 0u;
  };
  for (std::uint32_t word = 0; word < entry_.words; ++word) {
    std::uint32_t& here = words_[word_at(block, slot, head, word)];
    switch (type_) {
      case graph::KvType::f32: here = std::bit_cast<std::uint32_t>(random.uniform()); break;
      case graph::KvType::f16: here = half(2 * word) | half(2 * word + 1) << 16; break;
      case graph::KvType::q8_0:
        here = 0;
        for (std::uint32_t i = 0; i < 4 && 4 * word + i < layer_.head_dim; ++i) {
          // -127 to 127 in two's complement.
          here |= static_cast<std::uint32_t>((random.below(255) + 129) % 256) << (8 * i);
        }
    }
  }
  for (std::uint32_t run = 0; run < entry_.runs; ++run) {
    const float scale = f32_from_f16(f16_from_f32((0.6f + 0.4f * random.uniform()) / 127.0f));
    words_[scale_at(block, slot, head, run)] = std::bit_cast<std::uint32_t>(scale);
  }
}

std::vector<float> KvImage::read(std::uint32_t block, std::uint32_t slot, std::uint32_t head) const {
  std::vector<float> values(layer_.head_dim);
  for (std::uint32_t i = 0; i < layer_.head_dim; ++i) {
    const std::uint32_t word = words_[word_at(block, slot, head, i / entry_.values)];
    switch (type_) {
      case graph::KvType::f32: values[i] = std::bit_cast<float>(word); break;
      case graph::KvType::f16: values[i] = f32_from_f16(static_cast<std::uint16_t>(word >> (16 * (i % 2)))); break;
      case graph::KvType::q8_0:
        values[i] = std::bit_cast<float>(words_[scale_at(block, slot, head, i / 32)]) *
                    static_cast<float>(static_cast<std::int8_t>(word >> (8 * (i % 4))));
    }
  }
  return values;
}

bool KvImage::written(std::uint32_t block, std::uint32_t slot, std::uint32_t head) const {
  for (std::uint32_t word = 0; word < entry_.words; ++word) {
    if (words_[word_at(block, slot, head, word)] != kUnwritten) return true;
  }
  for (std::uint32_t run = 0; run < entry_.runs; ++run) {
    if (words_[scale_at(block, slot, head, run)] != kUnwritten) return true;
  }
  return false;
}

std::vector<std::byte> KvImage::bytes() const {
  const auto raw = std::as_bytes(std::span(words_));
  return {raw.begin(), raw.end()};
}

void KvImage::take(std::span<const std::byte> bytes) {
  std::memcpy(words_.data(), bytes.data(), std::min(bytes.size(), words_.size() * sizeof(std::uint32_t)));
}

}  // namespace wisp::test
