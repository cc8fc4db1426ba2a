//# F16: columns 4j .. 4j + 3 of a block of 32; a vector holds 8.
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
fn float_quad_${P}(tile: u32, kb: u32, r: u32, j: u32) -> vec4<f32> {
  let eight = quants_${P}[((tile * ${BLOCKS} + kb) * 4u + (j >> 1u)) * 8u + r];
  let pair = select(eight.xy, eight.zw, (j & 1u) == 1u);
  return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y));
}
