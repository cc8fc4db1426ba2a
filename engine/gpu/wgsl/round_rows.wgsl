//# Rows of x rounded once for all workgroups that multiply them (matmul.wgsl, matmul_units.wgsl). A workgroup has one row, a
//# lane a block of 32 columns.
//#   INT8      12 words a block: 32 integers, their scale, the sums of both halves, and nothing
//#   HALVES    the row's unit, a power of two, and then 16 words of f16 a block, in units of it: no activation is too
//#             large for f16, and the largest of the row lies just below 2^14
struct Op {
  x: u32,
  out: u32,
  row_set: u32,
}
#include "step.wgsl"
#include "matmul_x.wgsl"
#include "rounded_x.wgsl"
#include "round_block.wgsl"
#if HALVES
var<workgroup> largest_of: array<f32, 64>;
fn largest(v: vec4<f32>) -> f32 {
  let a = abs(v);
  return max(max(a.x, a.y), max(a.z, a.w));
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let row = group.y;
  if (row >= count) { return; }
#if INT8
  for (var kb = lane; kb < ${KB}u; kb += 64u) {
#for j in 0..8
    let x${j} = x_quad(row, kb * 32u + ${4 * j}u);
#end
#include "round_quads.wgsl"
    let to = rounded_block(op.out, row, kb);
    for (var i = 0u; i < 4u; i++) {
      arena[to + i * 32u] = low_quants[i];
      arena[to + (4u + i) * 32u] = high_quants[i];
      store(to + (8u + i) * 32u, quants_meta[i]);
    }
  }
#else
  var most = 0.0;
  for (var kb = lane; kb < ${KB}u; kb += 64u) {
    for (var j = 0u; j < 8u; j++) { most = max(most, largest(x_quad(row, kb * 32u + 4u * j))); }
  }
  largest_of[lane] = most;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { largest_of[lane] = max(largest_of[lane], largest_of[lane + distance]); }
    workgroupBarrier();
  }
  // The exponent of the largest, less 13.
  let exponent = clamp(bitcast<u32>(largest_of[0]) >> 23u, 14u, 253u) - 13u;
  let inverse = bitcast<f32>((254u - exponent) << 23u);
  if (lane == 0u) { store(rounded_row(op.out, row), bitcast<f32>(exponent << 23u)); }
  for (var kb = lane; kb < ${KB}u; kb += 64u) {
    let to = rounded_block(op.out, row, kb);
    for (var j = 0u; j < 8u; j++) {
      let x = x_quad(row, kb * 32u + 4u * j) * inverse;
      arena[to + 64u * j] = pack2x16float(x.xy);
      arena[to + 64u * j + 32u] = pack2x16float(x.zw);
    }
  }
#endif
}
