//# Flash attention, second half: joins the splits of one row and head (attention.wgsl; TILES: attention_tile.wgsl) in ascending
//# order.
struct Op {
  partials: u32,
  splits: u32,
  out: u32,
  first_row: u32,
}
#include "step.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
#if TILES
  if (group.y >= step_tiles()) { return; }
  let tile = step_tile(group.y);
  if (group.z >= tile.y) { return; }
  let row = tile.x + group.z;
  let place = (group.y * 16u + group.z) * ${HEADS}u + group.x;
  let splits = step_tile_splits();
  let stride = splits;
#else
#if LISTED
  let number = group.y + op.first_row;
  if (number >= step_lone_rows()) { return; }
  let row = step_lone_row(number);
#else
  let row = group.y + op.first_row;
  if (row >= step_rows()) { return; }
#endif
  let place = group.y * ${HEADS}u + group.x;
  let splits = step_position(row) / ${SPLIT}u + 1u;
  let stride = op.splits;
#endif
  let head = row * ${HEADS}u + group.x;
  let first = op.partials + place * stride * ${HEAD_DIM + 2}u;
  var most = -3.4e38;
  for (var s = 0u; s < splits; s++) { most = max(most, load(first + s * ${HEAD_DIM + 2}u)); }
  var whole = 0.0;
  for (var s = 0u; s < splits; s++) {
    let at = first + s * ${HEAD_DIM + 2}u;
    whole = fma(load(at + 1u), exp(load(at) - most), whole);
  }
  for (var d = lane; d < ${HEAD_DIM}u; d += 64u) {
    var sum = 0.0;
    for (var s = 0u; s < splits; s++) {
      let at = first + s * ${HEAD_DIM + 2}u;
      // A split out of sight left no values.
      if (load(at + 1u) > 0.0) { sum = fma(load(at + 2u + d), exp(load(at) - most), sum); }
    }
    store(op.out + head * ${HEAD_DIM}u + d, sum / whole);
  }
}
