//# One value of a query as attention reads it: scaled, and turned to its distance from the sinks where the keys are theirs
//# (graph/scalar_attention.h). Op has `q`, `scale` and `sink_rope`.
fn query(row: u32, head: u32, column: u32, in_sinks: bool) -> f32 {
  let at = op.q + (row * ${KV_HEADS * QUERIES}u + head) * ${HEAD_DIM}u;
  let x = load(at + column) * op.scale;
#if SINKS && PAIRS > 0
  if (in_sinks && column < ${2 * PAIRS}u) {
#if ADJACENT
    let pair = column / 2u;
    let is_second = (column & 1u) == 1u;
    let other = column ^ 1u;
#else
    let is_second = column >= ${PAIRS}u;
    let pair = select(column, column - ${PAIRS}u, is_second);
    let other = select(column + ${PAIRS}u, pair, is_second);
#endif
    let c = step_rope(op.sink_rope, row * ${2 * PAIRS}u + pair);
    let s = step_rope(op.sink_rope, row * ${2 * PAIRS}u + ${PAIRS}u + pair);
    let y = load(at + other) * op.scale;
    return x * c + select(-y, y, is_second) * s;
  }
#endif
  return x;
}
