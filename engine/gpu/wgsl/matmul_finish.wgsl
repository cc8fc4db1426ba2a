//# What becomes of the sums for one row of x and one row of W, `column` of the UNIT rows that a workgroup has. Workgroups from
//# number FIRST_p on belong to matrix p. y_1: the second sum, where the matrices are gated.
fn finish(group: u32, row: u32, column: u32, y_0: f32, y_1: f32) {
#if GATED
  let at = group * ${UNIT}u + column;
  if (at >= op.rows[0]) { return; }
  var gate = y_0;
  var up = y_1;
#if BIAS_0
  gate += load(op.bias[0] + at);
#endif
#if BIAS_1
  up += load(op.bias[1] + at);
#endif
  store(op.out[0] + row * op.width[0] + at, ${ACT}(gate) * up);
#else
#for p in 0..MATRICES
#if p == MATRICES - 1
  if (group >= ${FIRST_${p}}) {
#else
  if (group >= ${FIRST_${p}} && group < ${FIRST_${p + 1}}) {
#endif
    let at = (group - ${FIRST_${p}}) * ${UNIT}u + column;
    if (at < op.rows[${p}]) {
      var y = y_0;
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
