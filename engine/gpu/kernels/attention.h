// Kernels around the KV store: what becomes of query, key and value projections (wgsl/rope_kv.wgsl), and attention: of
// single rows over splits of their text (wgsl/attention.wgsl, wgsl/attention_join.wgsl), of query tiles
// (wgsl/attention_tile.wgsl), and in plain steps (wgsl/attention_plain.wgsl).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/kv_layout.h"
#include "gpu/shader/kernel.h"
#include "graph/graph.h"

namespace wisp::gpu {

enum class AttentionPath : std::uint8_t { flash, plain };

// ---- head norm, RoPE, KV write; group 1 where there is KV: keys, values ----

struct HeadSpec {
  std::uint32_t heads = 0;     // that stay in the arena (queries); 0: none
  std::uint32_t kv_heads = 0;  // of keys and of values that go to the store; 0: none
  std::uint32_t head_dim = 0;
  bool q_norm = false, k_norm = false;
  bool q_rope = false, k_rope = false;
  std::uint32_t pairs = 0;  // that turn
  graph::RopePairing pairing = graph::RopePairing::adjacent;
  graph::KvType kv_type = graph::KvType::f32;
  KeyOrder keys = KeyOrder::by_word;
};
struct HeadConstants {
  std::uint32_t q = 0, k = 0, v = 0, q_out = 0, q_norm = 0, k_norm = 0;
  float q_eps = 0.0f, k_eps = 0.0f;
  std::uint32_t rope = 0;    // a table of the step buffer
  std::uint32_t group = 0;   // of layers
  std::uint32_t blocks = 0;  // of the group's pool
};
Result<Kernel> head_kernel(const HeadSpec& spec, const DeviceInfo& info);
Grid head_grid(const HeadSpec& spec);

// ---- attention of single rows ----

// Positions of a split: fixed and absolute, so that nothing depends on how a text was cut into steps. 256 gives 16
// workgroups a head at 4,096 positions.
inline constexpr std::uint32_t kSplit = 256;

struct AttentionSpec {
  std::uint32_t kv_heads = 0;
  std::uint32_t queries = 1;  // query heads that share a kv head
  std::uint32_t head_dim = 0;
  graph::KvType kv_type = graph::KvType::f32;
  KeyOrder keys = KeyOrder::by_word;
  bool softcap = false;
  bool sinks = false;
  std::uint32_t pairs = 0;  // that the sinks' queries turn back; 0: no RoPE
  graph::RopePairing pairing = graph::RopePairing::adjacent;
  bool listed = false;  // only the step's lone rows; the others are in query tiles
};
// What the tuner remembers it by, whatever the order of keys: "attention 8x4 of 64 f16".
std::string attention_key(const AttentionSpec& spec);
// Queries, and what they see of the store; wgsl/attention_input.wgsl.
struct AttentionInput {
  std::uint32_t q = 0;
  std::uint32_t group = 0, blocks = 0;
  float scale = 1.0f, softcap = 0.0f;
  std::uint32_t window = 0, sinks = 0;
  std::uint32_t sink_rope = 0;  // a table of the step buffer
};
struct AttentionConstants {
  AttentionInput input = {};
  std::uint32_t partials = 0;  // [rows][heads][splits][head_dim + 2]
  std::uint32_t splits = 0;
  std::uint32_t first_row = 0;  // of this dispatch, or its number among the lone ones; its partials start with it
};
struct AttentionJoinConstants {
  std::uint32_t partials = 0, splits = 0, out = 0, first_row = 0;
};
Result<Kernel> attention_kernel(const AttentionSpec& spec, const DeviceInfo& info);
Grid attention_grid(const AttentionSpec& spec);
Result<Kernel> attention_join_kernel(const AttentionSpec& spec, const DeviceInfo& info);
Grid attention_join_grid(const AttentionSpec& spec);

// ---- attention of query tiles ----

struct AttentionTileConstants {
  AttentionInput input = {};
  std::uint32_t out = 0;
  std::uint32_t partials = 0;  // attention_tile_partials() words
};
Result<Kernel> attention_tile_kernel(const AttentionSpec& spec, const DeviceInfo& info);
Grid attention_tile_grid(const AttentionSpec& spec);
// Joins the splits of tiles; for steps of more than one. Of its constants `splits` and `first_row` are not asked for.
Result<Kernel> attention_tile_join_kernel(const AttentionSpec& spec, const DeviceInfo& info);
Grid attention_tile_join_grid(const AttentionSpec& spec);
std::uint32_t attention_tile_partials(const AttentionSpec& spec);

// ---- the plain path: every row, in three dispatches ----

enum class PlainPart : std::uint8_t { scores, softmax, values };
struct AttentionPlainConstants {
  AttentionInput input = {};
  std::uint32_t scores = 0, stride = 0;  // [rows][heads][stride]; stride: at least the positions of the longest text
  std::uint32_t out = 0;
  std::uint32_t first_row = 0;  // of this dispatch; its scores start with it
};
// The kernel of the softmax has no keys and values among its bindings.
Result<Kernel> attention_plain_kernel(const AttentionSpec& spec, PlainPart part, const DeviceInfo& info);
Grid attention_plain_grid(const AttentionSpec& spec, PlainPart part);

}  // namespace wisp::gpu
