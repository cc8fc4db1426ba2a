//# Q4_1: 4 bits, a scale and a minimum for 32 columns.
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let low = quants_${P}[unit * 8u + r];
  let a = low & vec4<u32>(0x0f0f0f0fu);
  let b = (low >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let pair = unpack2x16float(scales_${P}[unit * 8u + r]);
  return Block(a, b, vec2<f32>(pair.x), vec2<f32>(pair.y));
}
