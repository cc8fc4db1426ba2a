//# One head of a row on its way from a projection: norm, rotation, into the arena or the KV store. Lanes share the head's
//# values in workgroup memory.
//# Padded with zeros, which workgroup memory starts with.
var<workgroup> head: array<f32, ${HEAD_PADDED}>;
var<workgroup> squares: array<f32, 32>;

// head = norm(head) * weight
fn norm_head(lane: u32, weight: u32, eps: f32) {
  var mine = 0.0;
  for (var i = lane; i < ${HEAD_DIM}u; i += 32u) { mine = fma(head[i], head[i], mine); }
  squares[lane] = mine;
  workgroupBarrier();
  for (var distance = 16u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { squares[lane] += squares[lane + distance]; }
    workgroupBarrier();
  }
  let scale = inverseSqrt(squares[0] / ${HEAD_DIM}.0 + eps);
  for (var i = lane; i < ${HEAD_DIM}u; i += 32u) { head[i] = head[i] * scale * load(weight + i); }
  workgroupBarrier();
}

// The pairs that RoPE turns together; `rope` names a table of the step.
fn turn_head(lane: u32, row: u32, rope: u32) {
  for (var pair = lane; pair < ${PAIRS}u; pair += 32u) {
#if ADJACENT
    let first = 2u * pair;
    let second = first + 1u;
#else
    let first = pair;
    let second = pair + ${PAIRS}u;
#endif
    let c = step_rope(rope, row * ${2 * PAIRS}u + pair);
    let s = step_rope(rope, row * ${2 * PAIRS}u + ${PAIRS}u + pair);
    let x = head[first];
    let y = head[second];
    head[first] = x * c - y * s;
    head[second] = x * s + y * c;
  }
  workgroupBarrier();
}
