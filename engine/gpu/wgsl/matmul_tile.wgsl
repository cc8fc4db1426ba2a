//# What the kernels for many rows of x have in common: how a row of W comes into workgroup memory, and what becomes of a
//# sum. A workgroup has EDGE rows of x and of W; those from number FIRST_GROUP_p on belong to matrix p.
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
  if (group >= ${FIRST_GROUP_${p}}u) {
#else
  if (group >= ${FIRST_GROUP_${p}}u && group < ${FIRST_GROUP_${p + 1}}u) {
#endif
    let tile = (group - ${FIRST_GROUP_${p}}u) * ${EDGE / 8}u + (mine >> 3u);
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

// `column`: of the workgroup's EDGE; `sum_1`: of the second matrix, where they are gated.
fn finish(group: u32, row: u32, column: u32, sum_0: f32, sum_1: f32) {
#if HALVES
  let unit = load(op.x + row * ${X_WORDS}u) * 0x1p-6;
#else
  const unit = 1.0;
#endif
#if GATED
  let at = group * ${EDGE}u + column;
  if (at < op.rows[0]) {
    var gate = sum_0 * unit;
    var up = sum_1 * unit;
#if BIAS_0
    gate += load(op.bias[0] + at);
#endif
#if BIAS_1
    up += load(op.bias[1] + at);
#endif
    store(op.out[0] + row * op.width[0] + at, ${ACT}(gate) * up);
  }
#else
#for p in 0..MATRICES
#if p == MATRICES - 1
  if (group >= ${FIRST_GROUP_${p}}u) {
#else
  if (group >= ${FIRST_GROUP_${p}}u && group < ${FIRST_GROUP_${p + 1}}u) {
#endif
    let at = (group - ${FIRST_GROUP_${p}}u) * ${EDGE}u + column;
    if (at < op.rows[${p}]) {
      var y = sum_0 * unit;
#if BIAS_${p}
      y += load(op.bias[${p}] + at);
#endif
      y = ${ACT}(y);
#if RESIDUAL
      y += load(op.residual + row * op.width[${p}] + at);
#endif
      store(op.out[${p}] + row * op.width[${p}] + at, y);
    }
  }
#end
#endif
}
