//# Q4_K: 4 bits; a 6-bit scale and minimum for 32 columns.
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let low = quants_${P}[unit * 8u + r];
  let a = low & vec4<u32>(0x0f0f0f0fu);
  let b = (low >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  // Of 256 columns: d and dmin, low nibbles of 8 scales, of 8 minima, and the two high bits of both.
  let at = ((tile * (${BLOCKS} / 8u) + (kb >> 3u)) * 4u) * 8u + r;
  let j = kb & 7u;
  let pair = unpack2x16float(scales_${P}[at]);
  let high_bits = scales_${P}[at + 24u];
  let scale = ((scales_${P}[at + 8u] >> (4u * j)) & 15u) | (((high_bits >> (2u * j)) & 3u) << 4u);
  let least = ((scales_${P}[at + 16u] >> (4u * j)) & 15u) | (((high_bits >> (16u + 2u * j)) & 3u) << 4u);
  return Block(a, b, vec2<f32>(pair.x * f32(scale)), vec2<f32>(-pair.y * f32(least)));
}
