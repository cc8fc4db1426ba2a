//# Q5_0: 4 + 1 bits and a scale for 32 columns, w = d (u - 16).
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let low = quants_${P}[unit * 10u + r];
  var a = low & vec4<u32>(0x0f0f0f0fu);
  var b = (low >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let high = quants_${P}[unit * 10u + 8u + (r >> 2u)][r & 3u];
  a |= ((vec4<u32>(high) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(0x01010101u)) << vec4<u32>(4u);
  b |= ((vec4<u32>(high) >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(0x01010101u)) << vec4<u32>(4u);
  let scale = half_of(scales_${P}[unit * 4u + (r >> 1u)], r);
  return Block(a, b, vec2<f32>(scale), vec2<f32>(-16.0 * scale));
}
