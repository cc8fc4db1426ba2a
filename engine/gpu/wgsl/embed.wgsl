//# Rows of a table by token: out[row, :] = table[token[row], :]. A workgroup has one row; a lane a block of 32 columns.
struct Op {
  out: u32,
  first_token: u32,  // of this part of the table
  tokens: u32,       // rows of this part
}
#include "step.wgsl"
// Tokens that were sampled: a step may name the place of one instead of a token (run-ahead, gpu/slot_ring.h).
@group(1) @binding(${SAMPLED}) var<storage, read> sampled: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * 65535u;
  if (row >= step_rows()) { return; }
  var token = step_token(row);
  // Where there was nothing to choose, nobody will read what any token makes of it.
  if (token < 0) { token = max(sampled[u32(-1 - token)], 0); }
  let at = u32(token) - op.first_token;
  if (u32(token) < op.first_token || at >= op.tokens) { return; }
  for (var kb = lane; kb < ${KB}u; kb += 64u) {
    let out = op.out + row * ${K}u + kb * 32u;
#if FLOAT_0
    for (var j = 0u; j < 8u; j++) {
      let w = float_quad_0(at >> 3u, kb, at & 7u, j);
      for (var i = 0u; i < 4u; i++) {
        if (kb * 32u + 4u * j + i < ${K}u) { store(out + 4u * j + i, w[i]); }
      }
    }
#else
    let w = block_0(at >> 3u, kb, at & 7u);
    for (var j = 0u; j < 4u; j++) {
      let a = fma(vec4<f32>(w.scale.x), quad(w.a[j]), vec4<f32>(w.base.x));
      let b = fma(vec4<f32>(w.scale.y), quad(w.b[j]), vec4<f32>(w.base.y));
      for (var i = 0u; i < 4u; i++) {
        store(out + 4u * j + i, a[i]);
        store(out + 16u + 4u * j + i, b[i]);
      }
    }
#endif
  }
}
