//# y = x W^T for up to ROWS rows of x, with what may come before and after it. A workgroup computes 8 neighbouring rows
//# of W (a tile): lane = row of the tile + 8 * slice, and slice s walks the blocks s, s + SLICES, ... of 32 columns, so
//# that the lanes of a workgroup read one run of memory. x comes into workgroup memory in chunks of CHUNK blocks, for all
//# lanes.
//#   MATRICES            matrices that share x; each has tiles of its own, or both are taken together (GATED:
//#                       activation(first) * second). ACCUMULATORS is 2 for these, else 1
//#   COLUMNS, BLOCKS     of a row; numbers, or words of `op` in the kernel that serves all shapes. WHOLE: no block is cut short
//#   FIRST_p             workgroups from this number on belong to matrix p
//#   FLOAT_p             matrix p has a float type
//#   NORM                x is x * rsqrt(mean(x^2) + eps) * weight
//#   INT8                x is rounded to int8 by blocks of 32 (graph/int8_activations.h); products are integers
//#   BIAS_p, RESIDUAL, ACT (a function's name, or nothing)
//#   SUBGROUPS           four slices of a row are neighbouring lanes, which sum by shuffles: lane = slice % 4 + 4 * row of the
//#                       tile + 32 * (slice / 4). Every subgroup has whole quads, so that sums do not depend on its size
#include "matmul_op.wgsl"
#include "step.wgsl"

const LANES = ${8 * SLICES}u;
#include "matvec_x.wgsl"
var<workgroup> partial: array<f32, ${PARTIALS}>;


#if SUBGROUPS
//# The language does not promise that neighbours of the workgroup are neighbours of a subgroup. Where they are not, results
//# are absurdly large (`misplaced`, added to every sum), so that the tuner's probe sets the kernel aside.
fn misplacement(lane: u32) -> f32 {
  let near = subgroupShuffleXor(lane, 1u) == (lane ^ 1u);
  let far = subgroupShuffleXor(lane, 2u) == (lane ^ 2u);
  return select(0x1p100, 0.0, near & far);
}
fn sum_quad(value: f32) -> f32 {
  let pair = value + subgroupShuffleXor(value, 1u);
  return pair + subgroupShuffleXor(pair, 2u);
}
#endif

#if NORM
// Sum over all lanes, the same for each; the order depends on nothing but SLICES.
fn sum_lanes(lane: u32, value: f32) -> f32 {
#if SUBGROUPS
  let quad_sum = sum_quad(value);
  if ((lane & 3u) == 0u) { partial[lane >> 2u] = quad_sum; }
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < LANES / 4u; i++) { sum += partial[i]; }
#else
  partial[lane] = value;
  workgroupBarrier();
  for (var distance = LANES / 2u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { partial[lane] += partial[lane + distance]; }
    workgroupBarrier();
  }
  let sum = partial[0];
#endif
  workgroupBarrier();
  return sum;
}
#endif

#include "matmul_finish.wgsl"

@compute @workgroup_size(${8 * SLICES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let first_row = group.y * ${ROWS}u;
  if (first_row >= count) { return; }
  let last_row = count - 1u;
#if SUBGROUPS
  let r = (lane >> 2u) & 7u;
  let slice = (lane & 3u) + 4u * (lane >> 5u);
  let misplaced = misplacement(lane);
#else
  let r = lane & 7u;
  let slice = lane >> 3u;
#endif
#if NORM
  for (var row = 0u; row < ${ROWS}u; row++) {
    let x_row = op.x + min(first_row + row, last_row) * ${COLUMNS};
    var squares = 0.0;
    for (var k = lane; k < ${COLUMNS}; k += LANES) {
      let x = load(x_row + k);
      squares = fma(x, x, squares);
    }
    let sum = sum_lanes(lane, squares);
    if (lane == 0u) { x_scale[row] = inverseSqrt(sum / f32(${COLUMNS}) + op.eps); }
  }
#endif
#include "matvec_products.wgsl"

#if SUBGROUPS
#for row in 0..ROWS
#for p in 0..ACCUMULATORS
  let quad_${p}_${row} = sum_quad(sum_${p}_${row} + misplaced);
#end
#end
#if SLICES == 4
#for row in 0..ROWS
  if ((lane & 3u) == 0u && first_row + ${row}u < count) {
    finish(group.x, first_row + ${row}u, r, quad_0_${row}, quad_${GATED}_${row});
  }
#end
#else
  if ((lane & 3u) == 0u) {
#for row in 0..ROWS
#for p in 0..ACCUMULATORS
    partial[${(row * ACCUMULATORS + p) * 2 * SLICES}u + (slice >> 2u) * 8u + r] = quad_${p}_${row};
#end
#end
  }
  workgroupBarrier();
  // A lane for each value of the result.
  for (var i = lane; i < ${8 * ROWS}u; i += LANES) {
    let row = i >> 3u;
    let first = row * ${ACCUMULATORS * 2 * SLICES}u + (i & 7u);
#for p in 0..ACCUMULATORS
    var y_${p} = 0.0;
    for (var s = 0u; s < ${SLICES / 4}u; s++) { y_${p} += partial[first + ${p * 2 * SLICES}u + s * 8u]; }
#end
    if (first_row + row < count) {
      finish(group.x, first_row + row, i & 7u, y_0, y_${GATED});
    }
  }
#endif
#else
#for row in 0..ROWS
  {
#for p in 0..ACCUMULATORS
    workgroupBarrier();
    partial[lane] = sum_${p}_${row};
    workgroupBarrier();
    var y_${p} = 0.0;
    if (lane < 8u) {
      for (var s = 0u; s < ${SLICES}u; s++) { y_${p} += partial[s * 8u + lane]; }
    }
#end
    if (lane < 8u && first_row + ${row}u < count) {
      finish(group.x, first_row + ${row}u, lane, y_0, y_${GATED});
    }
  }
#end
#endif
}
