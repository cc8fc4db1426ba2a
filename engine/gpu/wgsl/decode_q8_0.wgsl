//# Q8_0: a signed byte and a scale for 32 columns.
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
@group(1) @binding(${S}) var<storage, read> scales_${P}: array<u32>;
fn block_${P}(tile: u32, kb: u32, r: u32) -> Block {
  let unit = tile * ${BLOCKS} + kb;
  let a = quants_${P}[unit * 16u + r];
  let b = quants_${P}[unit * 16u + 8u + r];
  let scale = half_of(scales_${P}[unit * 4u + (r >> 1u)], r);
  return Block(a, b, vec2<f32>(scale), vec2<f32>(0.0));
}
