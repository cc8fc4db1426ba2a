//# y = x W^T by the device's matrix units (chromium_experimental_subgroup_matrix): f16 in, f32 sums. A workgroup of 4
//# subgroups computes EDGE = 64 rows of x times 64 rows of W, each subgroup a square of 32 of them in matrices of UNIT_M rows
//# of x by UNIT_N of W, along K in steps of one block of 32 columns, UNIT_K at a time. x was rounded before (round_rows.wgsl).
//#   LANES     of a subgroup; there is one size only
//#   PITCH     f16 from one row of a tile to the next, past the 32 of a block: spreads rows over the banks
//# WGSL does not promise that lanes are numbered by subgroups. Where they are not, matrices of two squares are mixed, which
//# the tuner's probe notices. Chrome has changed these functions (where the order of a matrix is said) and may again: then this does
//# not compile, and the tuner takes what does.
#include "matmul_op.wgsl"
#include "step.wgsl"

var<workgroup> x_tile: array<f16, ${EDGE * PITCH}>;
#for m in 0..ACCUMULATORS
var<workgroup> w_tile_${m}: array<f16, ${EDGE * PITCH}>;
fn put_w_${m}(row: u32, j: u32, w: vec4<f32>) {
  let at = row * ${PITCH}u + 4u * j;
#for i in 0..4
  w_tile_${m}[at + ${i}u] = f16(w[${i}]);
#end
}
#end
#include "matmul_tile.wgsl"

// The sums of one accumulator, [EDGE rows of x, EDGE rows of W].
var<workgroup> sums: array<f32, ${EDGE * EDGE}>;

@compute @workgroup_size(${4 * LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let first_row = group.y * ${EDGE}u;
  if (first_row >= count) { return; }
  let square = lane / ${LANES}u;
  let down = (square >> 1u) * 32u;
  let across = (square & 1u) * 32u;
#for m in 0..ACCUMULATORS
#for a in 0..32 / UNIT_M
#for b in 0..32 / UNIT_N
  var sum_${m}_${a}_${b}: subgroup_matrix_result<f32, ${UNIT_N}, ${UNIT_M}>;
#end
#end
#end
  for (var kb = 0u; kb < ${KB}u; kb++) {
    workgroupBarrier();
    for (var mine = lane; mine < ${2 * EDGE}u; mine += ${4 * LANES}u) {
      if (mine < ${EDGE}u) {
        bring_w(group.x, mine, kb);
      } else {
        let at = mine - ${EDGE}u;
        let start = rounded_block(op.x, min(first_row + at, count - 1u), kb);
        for (var j = 0u; j < 16u; j++) {
          let two = unpack2x16float(arena[start + 32u * j]);
          x_tile[at * ${PITCH}u + 2u * j] = f16(two.x);
          x_tile[at * ${PITCH}u + 2u * j + 1u] = f16(two.y);
        }
      }
    }
    workgroupBarrier();
#for k in 0..32 / UNIT_K
    {
#for a in 0..32 / UNIT_M
      let x_${a} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${UNIT_K}, ${UNIT_M}>, row_major>(
          &x_tile, (down + ${a * UNIT_M}u) * ${PITCH}u + ${k * UNIT_K}u, ${PITCH}u);
#end
#for m in 0..ACCUMULATORS
#for b in 0..32 / UNIT_N
      {
        // Rows of W are columns of the right matrix.
        let w = subgroupMatrixLoad<subgroup_matrix_right<f16, ${UNIT_N}, ${UNIT_K}>, col_major>(
            &w_tile_${m}, (across + ${b * UNIT_N}u) * ${PITCH}u + ${k * UNIT_K}u, ${PITCH}u);
#for a in 0..32 / UNIT_M
        sum_${m}_${a}_${b} = subgroupMatrixMultiplyAccumulate(x_${a}, w, sum_${m}_${a}_${b});
#end
      }
#end
#end
    }
#end
  }

#if GATED
  var gates: array<f32, ${EDGE * EDGE / (4 * LANES)}>;
#endif
#for m in 0..ACCUMULATORS
  workgroupBarrier();
#for a in 0..32 / UNIT_M
#for b in 0..32 / UNIT_N
  subgroupMatrixStore<row_major>(&sums, (down + ${a * UNIT_M}u) * ${EDGE}u + across + ${b * UNIT_N}u, sum_${m}_${a}_${b},
                                 ${EDGE}u);
#end
#end
  workgroupBarrier();
  for (var i = 0u; i < ${EDGE * EDGE / (4 * LANES)}u; i++) {
    let at = i * ${4 * LANES}u + lane;
#if m == ACCUMULATORS - 1
    let row = first_row + at / ${EDGE}u;
    if (row < count) {
      let unit = unit_of(row);
#if GATED
      finish(group.x, row, at % ${EDGE}u, unit * gates[i], unit * sums[at]);
#else
      finish(group.x, row, at % ${EDGE}u, unit * sums[at], 0.0);
#endif
    }
#else
    gates[i] = sums[at];
#endif
  }
#end
}
