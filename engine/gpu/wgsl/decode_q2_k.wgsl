//# Q2_K: 2 bits; a 4-bit scale and minimum for 16 columns.
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let both = quants_${P}[unit * 4u + (r >> 1u)];
  let first = select(both.x, both.z, (r & 1u) == 1u);
  let second = select(both.y, both.w, (r & 1u) == 1u);
  let a = (vec4<u32>(first) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
  let b = (vec4<u32>(second) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
  // Of 256 columns: 16 bytes with a scale in the low and a minimum in the high nibble, then d and dmin.
  let at = (tile * (${BLOCKS} / 8u) + (kb >> 3u)) * 40u;
  let bytes = scales_${P}[at + ((kb & 7u) >> 1u) * 8u + r] >> (16u * (kb & 1u));
  let pair = unpack2x16float(scales_${P}[at + 32u + r]);
  let scale = vec2<f32>(f32(bytes & 15u), f32((bytes >> 8u) & 15u));
  let least = vec2<f32>(f32((bytes >> 4u) & 15u), f32((bytes >> 12u) & 15u));
  return Block(a, b, pair.x * scale, -pair.y * least);
}
