// The kernels of one instruction set, as a table of functions over plain data. Each table is compiled in its own file
// with its own flags (isa/*.cpp); this header is all that those files share with the rest, and it must not generate
// code: an inline function compiled for AVX-512 in one file could be the copy that the linker keeps for everybody.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/panel_layout.h"

namespace wisp::cpu {

// out[row, 16 * (panel - first_panel) + lane] = matrix * activations, for panels [first_panel, last_panel) and `rows`
// rows.
struct MatMulArgs {
  PackedMatrix matrix;
  std::uint32_t first_panel, last_panel;
  std::uint32_t rows;
  const ActivationBlock* int8_rows;  // [rows][columns / 32]; for quantised formats
  const float* float_rows;           // [rows][columns]; for float formats
  float* out;                        // where output 0 of first_panel goes, for row 0
  std::size_t out_stride;            // floats between rows
  std::uint8_t* scratch;             // matmul_scratch_bytes(columns), 64-byte aligned; this thread's own
};

// Scratch for one expanded panel: 16 bytes a column for the integers, and f32 scale and minimum per 16 columns.
inline constexpr std::size_t kScratchBytesPerColumn = 16 + 2 * sizeof(float);

enum class Function : std::uint8_t { none, silu, gelu_tanh };
enum class KvFormat : std::uint8_t { f32, f16, q8_0 };
inline constexpr int kKvPositions = 32;  // positions in a KV block; graph::kKvBlock

// One layer's part of a KV block. For each kv head:
//   K, transposed so that a lane is a position: f32/f16 [head_dim][32]; q8_0: f16 scale[ceil(head_dim/32)][32], i8
//   [head_dim][32] V, so that a lane is a dimension:           f32/f16 [32][head_dim]; q8_0: f16
//   scale[32][ceil(head_dim/32)], i8 [32][head_dim]
struct KvLayerLayout {
  KvFormat format;
  std::uint32_t kv_heads, head_dim;
  std::size_t k_offset, v_offset;            // of this layer inside a block, bytes
  std::size_t k_head_stride, v_head_stride;  // bytes from head to head
};

// Stores k and v [kv_heads * head_dim] of one position into its block.
struct KvWriteArgs {
  KvLayerLayout layout;
  std::uint8_t* block;
  std::uint32_t slot;  // position % 32
  const float* k;
  const float* v;
};

// The running state of an online softmax for one query head: maximum, denominator, and head_dim weighted sums.
struct SoftmaxState {
  float maximum;
  float denominator;
};

// Attends `heads` query heads that share kv head `kv_head` to blocks [first_block, last_block) of one sequence, and
// leaves state and sums unnormalised. Positions [begin, end) are visible. Accumulates from scratch: state need not be
// initialised.
struct AttendArgs {
  KvLayerLayout layout;
  const std::uint8_t* pool;  // block number n starts at pool + n * block_bytes
  std::size_t block_bytes;
  const std::int32_t* table;  // [block index]: block number; only visible ones are looked at
  std::uint32_t kv_head;
  std::uint32_t heads;
  const float* q;  // [heads][head_dim], already multiplied by the attention scale
  float softcap;
  std::int64_t begin, end;
  SoftmaxState* state;  // [heads]
  float* sums;          // [heads][head_dim]
};

struct Kernels {
  const char* name;
  void (*quantize_row)(const float* x, std::size_t columns, ActivationBlock* out);
  void (*matmul)(const MatMulArgs& args);
  // out may be x. sum of squares in 16 lanes with FMA, lanes joined pairwise (8, 4, 2, 1 apart).
  void (*rms_norm)(const float* x, const float* weight, float eps, std::size_t n, float* out);
  void (*add)(const float* a, const float* b, std::size_t n, float* out);
  void (*multiply)(const float* a, const float* b, std::size_t n, float* out);
  void (*scale)(const float* x, float factor, std::size_t n, float* out);
  void (*activate)(Function function, const float* x, std::size_t n, float* out);
  void (*gate)(Function function, const float* gate, const float* up, std::size_t n, float* out);  // f(gate) * up
  void (*softcap)(const float* x, float cap, std::size_t n, float* out);
  // Rotates `heads` heads in place. cos_sin: [pairs] cosines then [pairs] sines. adjacent: pairs (2i, 2i+1), else (i,
  // i+pairs).
  void (*rope)(float* x, std::uint32_t heads, std::uint32_t head_dim, std::uint32_t pairs, bool adjacent,
               const float* cos_sin);
  void (*kv_write)(const KvWriteArgs& args);
  void (*attend)(const AttendArgs& args);
  // Joins a later part of the same softmax into (state, sums): both unnormalised.
  void (*merge)(SoftmaxState* state, float* sums, const SoftmaxState* part_state, const float* part_sums,
                std::size_t head_dim);
};

}  // namespace wisp::cpu
