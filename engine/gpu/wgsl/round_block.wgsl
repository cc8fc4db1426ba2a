#if INT8
//# Rounding to int8 as graph/int8_activations.h has it.
fn pack4(v: vec4<f32>) -> u32 {
  let b = vec4<u32>(vec4<i32>(v)) & vec4<u32>(255u);
  return b.x | (b.y << 8u) | (b.z << 16u) | (b.w << 24u);
}
fn largest(v: vec4<f32>) -> f32 {
  let a = abs(v);
  return max(max(a.x, a.y), max(a.z, a.w));
}
fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }
#endif
