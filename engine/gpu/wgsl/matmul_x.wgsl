//# Columns k to k + 3 of a row of x as it is; zero past the last one.
fn x_quad(row: u32, k: u32) -> vec4<f32> {
  let at = op.x + row * ${K}u + k;
  var x = vec4<f32>(0.0);
#for i in 0..4
#if K % 32 == 0
  x[${i}] = load(at + ${i}u);
#else
  if (k + ${i}u < ${K}u) { x[${i}] = load(at + ${i}u); }
#endif
#end
  return x;
}
