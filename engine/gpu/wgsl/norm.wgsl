//# Norm of each run of GROUP values of a row (the whole row, or a head), and then + residual where RESIDUAL. A workgroup has
//# one run.
//#   LAYER 0         RMS norm: out = x * rsqrt(mean(x^2) + eps) * weight
//#   LAYER 1         layer norm: out = (x - mean(x)) * rsqrt(mean((x - mean(x))^2) + eps) * weight
//#   BIAS            + bias; only with LAYER
struct Op {
  x: u32,
  out: u32,
  weight: u32,
  residual: u32,
  eps: f32,
  row_set: u32,
  bias: u32,
}
#include "step.wgsl"
var<workgroup> sums: array<f32, 64>;

fn sum_lanes(lane: u32, value: f32) -> f32 {
  sums[lane] = value;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { sums[lane] += sums[lane + distance]; }
    workgroupBarrier();
  }
  return sums[0];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let row = group.y;
  if (row >= count) { return; }
  let first = row * ${WIDTH}u + group.x * ${GROUP}u;
#if LAYER
  var total = 0.0;
  for (var i = lane; i < ${GROUP}u; i += 64u) { total += load(op.x + first + i); }
  let mean = sum_lanes(lane, total) / ${GROUP}.0;
  workgroupBarrier();
#else
  let mean = 0.0;
#endif
  // Of differences from the mean: x^2 less mean^2 would cancel where the mean is large.
  var mine = 0.0;
  for (var i = lane; i < ${GROUP}u; i += 64u) {
    let x = load(op.x + first + i) - mean;
    mine = fma(x, x, mine);
  }
  let scale = inverseSqrt(sum_lanes(lane, mine) / ${GROUP}.0 + op.eps);
  for (var i = lane; i < ${GROUP}u; i += 64u) {
    var y = (load(op.x + first + i) - mean) * scale * load(op.weight + i);
#if BIAS
    y += load(op.bias + i);
#endif
#if RESIDUAL
    y += load(op.residual + first + i);
#endif
    store(op.out + first + i, y);
  }
}
