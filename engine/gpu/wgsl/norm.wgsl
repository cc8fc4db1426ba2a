//# RMS norm of each run of GROUP values of a row (the whole row, or a head): out = x * rsqrt(mean(x^2) + eps) * weight, and
//# then + residual where RESIDUAL. A workgroup has one run.
struct Op {
  x: u32,
  out: u32,
  weight: u32,
  residual: u32,
  eps: f32,
  row_set: u32,
}
#include "step.wgsl"
var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let row = group.y;
  if (row >= count) { return; }
  let first = row * ${WIDTH}u + group.x * ${GROUP}u;
  var mine = 0.0;
  for (var i = lane; i < ${GROUP}u; i += 64u) {
    let x = load(op.x + first + i);
    mine = fma(x, x, mine);
  }
  squares[lane] = mine;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { squares[lane] += squares[lane + distance]; }
    workgroupBarrier();
  }
  let scale = inverseSqrt(squares[0] / ${GROUP}.0 + op.eps);
  for (var i = lane; i < ${GROUP}u; i += 64u) {
    var y = load(op.x + first + i) * scale * load(op.weight + i);
#if RESIDUAL
    y += load(op.residual + first + i);
#endif
    store(op.out + first + i, y);
  }
}
