//# Ops on single values; FUNCTION is one of
//#   0 out = a * factor    1 out = a + b          2 out = a * b         3 out = a + bias
//#   4 out = silu(a)       5 out = gelu(a)        6 out = factor * tanh(a / factor)
//#   7 out = the rows of a that want logits
struct Op {
  a: u32,
  b: u32,
  out: u32,
  width: u32,
  factor: f32,
  row_set: u32,
}
#include "step.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
#if FUNCTION == 7
  let count = step_logit_rows();
#else
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
#endif
  if (id.x >= op.width || id.y >= count) { return; }
  let at = id.y * op.width + id.x;
#if FUNCTION == 0
  store(op.out + at, load(op.a + at) * op.factor);
#elif FUNCTION == 1
  store(op.out + at, load(op.a + at) + load(op.b + at));
#elif FUNCTION == 2
  store(op.out + at, load(op.a + at) * load(op.b + at));
#elif FUNCTION == 3
  store(op.out + at, load(op.a + at) + load(op.b + id.x));
#elif FUNCTION == 4
  store(op.out + at, silu(load(op.a + at)));
#elif FUNCTION == 5
  store(op.out + at, gelu_tanh(load(op.a + at)));
#elif FUNCTION == 6
  // tanh of what passes 10 is 1 in f32; some drivers give NaN there.
  store(op.out + at, op.factor * tanh(clamp(load(op.a + at) / op.factor, -10.0, 10.0)));
#else
  store(op.out + at, load(op.a + step_logit_row(id.y) * op.width + id.x));
#endif
}
