//# y[pair] = W[expert(pair)] x[row(pair)] over stacks of matrices, one an expert: a row of the step has USED pairs, and the
//# arena an expert's number for each. A workgroup computes a tile of 8 rows of W for one pair, as matvec.wgsl does for one
//# row of x; names are those of matvec.wgsl.
//#   USED       experts of a row
//#   TILES_p    tiles of one expert in stack p; each expert starts a tile
//#   GATED      two stacks: y = activation(first) * second
struct Op {
  x: u32,             // where the rows of x start in the arena, COLUMNS apart
  pair_x: u32,        // 0: the pairs of a row share a row of x; 1: each has its own
  ids: u32,           // numbers of experts, as words: [rows][USED]
  first_expert: u32,  // of the part of the stacks that is bound,
  experts: u32,       // and how many; pairs of others are left alone
  row_set: u32,
  // By stack: where the results start, from one pair's to the next; rows of a matrix; biases, [all experts][rows].
  out: vec2<u32>,
  width: vec2<u32>,
  rows: vec2<u32>,
  bias: vec2<u32>,
}
#include "step.wgsl"

const LANES = ${8 * SLICES}u;
#include "matvec_x.wgsl"
var<workgroup> partial: array<f32, ${8 * SLICES}>;
var<workgroup> chosen: u32;

@compute @workgroup_size(${8 * SLICES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  if (group.y >= count) { return; }
  let pair = group.y * ${USED}u + group.z;
  // The arena may change, so that what is read there counts as different in each lane until it came by this way.
  if (lane == 0u) { chosen = arena[op.ids + pair]; }
  let id = workgroupUniformLoad(&chosen);
  // Also of numbers that are no expert's.
  if (id < op.first_expert || id - op.first_expert >= op.experts) { return; }
  let expert = id - op.first_expert;
  let first_row = select(group.y, pair, op.pair_x == 1u);
  let last_row = first_row;
  let r = lane & 7u;
  let slice = lane >> 3u;
#include "matvec_products.wgsl"

#for p in 0..ACCUMULATORS
  workgroupBarrier();
  partial[lane] = sum_${p}_0;
  workgroupBarrier();
  var y_${p} = 0.0;
  if (lane < 8u) {
    for (var s = 0u; s < ${SLICES}u; s++) { y_${p} += partial[s * 8u + lane]; }
  }
#end
  let at = group.x * 8u + lane;
  if (lane >= 8u || at >= op.rows[0]) { return; }
#for p in 0..ACCUMULATORS
#if BIAS_${p}
  y_${p} += load(op.bias[${p}] + id * op.rows[${p}] + at);
#endif
#end
#if GATED
  store(op.out[0] + pair * op.width[0] + at, ${ACT}(y_0) * y_1);
#else
  store(op.out[0] + pair * op.width[0] + at, ${ACT}(y_0));
#endif
}
