// From a graph's KV layout and the engine's options to block pools.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "graph/graph.h"
#include "kv/manager.h"
#include "runtime/engine.h"

namespace wisp::runtime {

// The longest sequence where an imposed window bounds what is remembered. Only tables grow with it, by about 20 bytes
// per kv::kBlockPositions.
inline constexpr std::uint32_t kEndlessPositions = sizeof(void*) == 4 ? 1u << 20 : 1u << 24;

// Bytes that K and V of all layers of `group` take for one block, without a backend's padding.
std::uint64_t kv_block_bytes(const graph::KvLayout& layout, int group, graph::KvType type);

// Pools as EngineOptions::kv_blocks and kv_bytes say. Code::out_of_memory when the budget is too small for one block of
// each group.
Result<kv::KvConfig> make_kv_config(const graph::KvLayout& layout, std::uint32_t max_positions,
                                    const EngineOptions& options);

// Bytes of all blocks of a configuration.
std::uint64_t kv_pool_bytes(const graph::KvLayout& layout, const kv::KvConfig& config, graph::KvType type);

// The pools that fit `room` bytes: all that the options want; else, where they may narrow, the same as q8_0; else as
// long sequences as fit. Code::out_of_memory when that is not a block of each group.
struct KvFit {
  graph::KvType type;
  kv::KvConfig config;
};
Result<KvFit> fit_kv(const graph::KvLayout& layout, std::uint32_t max_positions, const EngineOptions& options,
                     std::uint64_t room);

// What decides the bytes of a block beside its tokens (KV type, windows, rotations), mixed with a request's own salt.
std::uint64_t cache_salt(const graph::Graph& graph, graph::KvType type, std::uint64_t request_salt);

}  // namespace wisp::runtime
