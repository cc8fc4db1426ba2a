// Keys and values on the device. A layer has two parts, keys and values, each bound on its own. A part holds its
// group's blocks one after another; within a block, by kv head, 32 positions of a head's words: values as
// [position][word], keys so or as [word][position], as the tuner found (wgsl/kv_store.wgsl). Types as graph/scalar_kv.h
// rounds them:
//   f32   a word a value
//   f16   a word for two values, so that no device needs 16-bit storage
//   q8_0  a word for four; the scale of each run of 32 values of a head, an f16's value in a word of its own, lies
//   behind all
//         blocks of the part
#pragma once

#include <cstdint>

#include "base/checked.h"
#include "graph/graph.h"

namespace wisp::gpu {

enum class KeyOrder : std::uint8_t {
  by_word,      // lanes that are positions read neighbours
  by_position,  // a lane reads a key in a row
};

// One head at one position.
struct KvEntry {
  std::uint32_t words = 0;   // of values
  std::uint32_t values = 1;  // in a word
  std::uint32_t runs = 0;    // scales
};

constexpr KvEntry kv_entry(graph::KvType type, std::uint32_t head_dim) {
  switch (type) {
    case graph::KvType::f32: return {head_dim, 1, 0};
    case graph::KvType::f16: return {div_up(head_dim, 2u), 2, 0};
    case graph::KvType::q8_0: return {div_up(head_dim, 32u) * 8, 4, div_up(head_dim, 32u)};
  }
  return {};
}

// Words of one block in a part: its values, and its scales (which lie elsewhere).
constexpr std::uint64_t kv_block_words(graph::KvType type, const graph::KvLayer& layer) {
  return std::uint64_t{kv_entry(type, layer.head_dim).words} * layer.kv_heads * graph::kKvBlock;
}
constexpr std::uint64_t kv_block_scales(graph::KvType type, const graph::KvLayer& layer) {
  return std::uint64_t{kv_entry(type, layer.head_dim).runs} * layer.kv_heads * graph::kKvBlock;
}

// Where a word of a head at a place of a block lies, in words; values lie by position. `words`: of a KvEntry.
constexpr std::uint64_t kv_word(std::uint32_t block, std::uint32_t kv_heads, std::uint32_t head, std::uint32_t slot,
                                std::uint32_t word, std::uint32_t words, KeyOrder order) {
  const std::uint64_t start = (std::uint64_t{block} * kv_heads + head) * words * graph::kKvBlock;
  return start + (order == KeyOrder::by_word ? std::uint64_t{word} * graph::kKvBlock + slot
                                             : std::uint64_t{slot} * words + word);
}

}  // namespace wisp::gpu
