//# Q3_K: 2 + 1 bits; a 6-bit scale for 16 columns, w = d (s - 32) (u - 4).
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let both = quants_${P}[unit * 6u + (r >> 1u)];
  let first = select(both.x, both.z, (r & 1u) == 1u);
  let second = select(both.y, both.w, (r & 1u) == 1u);
  let high = quants_${P}[unit * 6u + 4u + (r >> 2u)][r & 3u];
  let a = ((vec4<u32>(first) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u)) |
          (((vec4<u32>(high) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(0x01010101u)) << vec4<u32>(2u));
  let b = ((vec4<u32>(second) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u)) |
          (((vec4<u32>(high) >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(0x01010101u)) << vec4<u32>(2u));
  // Of 256 columns: low nibbles of 16 scales, their two high bits, and d; a scale is 32 less.
  let at = (tile * (${BLOCKS} / 8u) + (kb >> 3u)) * 28u;
  let nibbles = scales_${P}[at + ((kb & 7u) >> 2u) * 8u + r] >> (8u * (kb & 3u));
  let high_bits = scales_${P}[at + 16u + r] >> (4u * (kb & 7u));
  let d = half_of(scales_${P}[at + 24u + (r >> 1u)], r);
  let scale = d * (vec2<f32>(f32((nibbles & 15u) | ((high_bits & 3u) << 4u)),
                             f32(((nibbles >> 4u) & 15u) | (((high_bits >> 2u) & 3u) << 4u))) - vec2<f32>(32.0));
  return Block(a, b, scale, -4.0 * scale);
}
