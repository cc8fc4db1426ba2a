//# Q4_0: 4 bits and a scale for 32 columns, w = d (u - 8).
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let low = quants_${P}[unit * 8u + r];
  let a = low & vec4<u32>(0x0f0f0f0fu);
  let b = (low >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let scale = half_of(scales_${P}[unit * 4u + (r >> 1u)], r);
  return Block(a, b, vec2<f32>(scale), vec2<f32>(-8.0 * scale));
}
