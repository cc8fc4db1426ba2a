//# What the kernels for many rows of x have in common: how a row of W comes into workgroup memory, and what
//# sums are in. A workgroup has EDGE rows of x and of W; those from number FIRST_p on belong to matrix p.
//#   HALVES   tiles hold f16: x was rounded before, in units of its row; W is rounded here, in units of 1/64
//# put_w_<accumulator>(row, quad, values) is the including template's.

#if HALVES
// Weights of models lie around 1/64: as 1 they and their smallest parts are normal numbers of f16. What is past its range
// becomes the largest number of it, not infinity.
fn rounded_w(w: vec4<f32>) -> vec4<f32> { return clamp(w * 64.0, vec4<f32>(-65504.0), vec4<f32>(65504.0)); }
#else
fn rounded_w(w: vec4<f32>) -> vec4<f32> { return w; }
#endif

fn bring_w(group: u32, mine: u32, kb: u32) {
#for p in 0..MATRICES
#if GATED
  {
    let tile = group * ${EDGE / 8}u + (mine >> 3u);
#else
#if p == MATRICES - 1
  if (group >= ${FIRST_${p}}) {
#else
  if (group >= ${FIRST_${p}} && group < ${FIRST_${p + 1}}) {
#endif
    let tile = (group - ${FIRST_${p}}) * ${EDGE / 8}u + (mine >> 3u);
#endif
    let r = mine & 7u;
    // Past the last tile: any values, for they are not stored.
    let inside = min(tile, ${TILES_${p}}u - 1u);
#if FLOAT_${p}
#for j in 0..8
    put_w_${GATED * p}(mine, ${j}u, rounded_w(float_quad_${p}(inside, kb, r, ${j}u)));
#end
#else
    let w = block_${p}(inside, kb, r);
#if INT8
    w_quants_${GATED * p}[mine * 3u] = w.a;
    w_quants_${GATED * p}[mine * 3u + 1u] = w.b;
    w_scales_${GATED * p}[mine] = vec4<f32>(w.scale, w.base);
#else
#for j in 0..4
    put_w_${GATED * p}(mine, ${j}u, rounded_w(fma(vec4<f32>(w.scale.x), quad(w.a[${j}]), vec4<f32>(w.base.x))));
    put_w_${GATED * p}(mine, ${4 + j}u, rounded_w(fma(vec4<f32>(w.scale.y), quad(w.b[${j}]), vec4<f32>(w.base.y))));
#end
#endif
#endif
  }
#end
}

#include "matmul_finish.wgsl"
#if ROUNDED
#include "rounded_x.wgsl"
#endif

// What the sums of a row of x are in.
fn unit_of(row: u32) -> f32 {
#if HALVES
  return load(rounded_row(op.x, row)) * 0x1p-6;
#else
  return 1.0;
#endif
}
