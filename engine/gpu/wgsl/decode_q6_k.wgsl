//# Q6_K: 4 + 2 bits; a signed 8-bit scale for 16 columns, w = d s (u - 32).
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let low = quants_${P}[unit * 12u + r];
  var a = low & vec4<u32>(0x0f0f0f0fu);
  var b = (low >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let both = quants_${P}[unit * 12u + 8u + (r >> 1u)];
  let first = select(both.x, both.z, (r & 1u) == 1u);
  let second = select(both.y, both.w, (r & 1u) == 1u);
  a |= ((vec4<u32>(first) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u)) << vec4<u32>(4u);
  b |= ((vec4<u32>(second) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u)) << vec4<u32>(4u);
  // Of 256 columns: 16 signed scales of a byte, and d.
  let at = (tile * (${BLOCKS} / 8u) + (kb >> 3u)) * 36u;
  let word = scales_${P}[at + ((kb & 7u) >> 1u) * 8u + r] >> (16u * (kb & 1u));
  let d = half_of(scales_${P}[at + 32u + (r >> 1u)], r);
  let scale = d * vec2<f32>(f32(i32(word << 24u) >> 24u), f32(i32(word << 16u) >> 24u));
  return Block(a, b, scale, -32.0 * scale);
}
