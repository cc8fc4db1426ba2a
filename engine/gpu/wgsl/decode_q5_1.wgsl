//# Q5_1: 4 + 1 bits, a scale and a minimum for 32 columns.
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
  let pair = unpack2x16float(scales_${P}[unit * 8u + r]);
  return Block(a, b, vec2<f32>(pair.x), vec2<f32>(pair.y));
}
