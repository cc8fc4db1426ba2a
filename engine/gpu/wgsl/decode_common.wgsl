//# What every decoder gives: 32 columns of one weight row.
struct Block {
  a: vec4<u32>,      // columns 0..15 as small integers u, one a byte: column 4w + i in byte i of word w
  b: vec4<u32>,      // columns 16..31
  scale: vec2<f32>,  // w = scale * u + base, for a and for b
  base: vec2<f32>,
}
#if PACKED
fn quad(word: u32) -> vec4<f32> { return vec4<f32>(unpack4xI8(word)); }
#else
fn quad(word: u32) -> vec4<f32> {
  let v = vec4<i32>(i32(word << 24u), i32(word << 16u), i32(word << 8u), i32(word));
  return vec4<f32>(v >> vec4<u32>(24u));
}
fn dot4I8Packed_(a: u32, b: u32) -> i32 {
  let x = vec4<i32>(i32(a << 24u), i32(a << 16u), i32(a << 8u), i32(a)) >> vec4<u32>(24u);
  let y = vec4<i32>(i32(b << 24u), i32(b << 16u), i32(b << 8u), i32(b)) >> vec4<u32>(24u);
  return x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
}
#endif
fn half_of(word: u32, index: u32) -> f32 {
  let both = unpack2x16float(word);
  return select(both.x, both.y, (index & 1u) == 1u);
}
