// What changes from step to step, as one array of 32-bit words that is written to the device in one piece before each
// step: `@group(0) @binding(0) var<storage, read> step: array<u32>`. The header's words are fixed; it says where the
// arrays start (in words). wgsl/step.wgsl has the same numbers.
#pragma once

#include <cstdint>

namespace wisp::gpu {

enum class StepWord : std::uint32_t {
  rows = 0,
  logit_rows,
  sequences,
  tokens,        // -> i32 [rows]: a token id, or -1 - place of a sampled token (slot_ring.h)
  positions,     // -> i32 [rows]
  row_sequence,  // -> u32 [rows]
  logit_row,     // -> u32 [logit_rows]: the step rows that want logits
  tables,        // -> u32 [groups]: -> i32 [sequences][table_stride]: block numbers, -1 where the block left the window
  table_stride,
  ropes,  // -> u32 [ropes]: -> f32 [rows][pairs cosines, pairs sines], magnitude included, angles taken in double
  // Number of query tiles: runs of at least kLeastTile and at most kQueryTile rows of one sequence at consecutive
  // positions.
  query_tiles,
  tiles,        // -> u32 [query_tiles][2]: first row, rows
  samples,      // -> u32 [samples][kSampleWords], as kernels/sampling.h has them
  lone_rows,    // number of rows that are in no tile
  lone,         // -> u32 [lone_rows]: which, ascending
  tile_splits,  // of each query tile; 0 without tiles
  kWords = 16,
};

// Rows of a query tile of prefill attention. A tile costs the same work for one row as for all, but reads keys and
// values only once; a row alone is spread over as many workgroups as its text has splits.
inline constexpr std::uint32_t kQueryTile = 16;
inline constexpr std::uint32_t kLeastTile = 4;
// A step with few tiles has each in splits, so many that there are up to kTileParts for a kv head, of at least
// kLeastTileBlocks blocks.
inline constexpr std::uint32_t kTileParts = 16;
inline constexpr std::uint32_t kLeastTileBlocks = 8;

}  // namespace wisp::gpu
