//# F32: columns 4j .. 4j + 3 of a block of 32.
@group(1) @binding(${Q}) var<storage, read> quants_${P}: array<vec4<u32>>;
fn float_quad_${P}(tile: u32, kb: u32, r: u32, j: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(quants_${P}[((tile * ${BLOCKS} + kb) * 8u + j) * 8u + r]);
}
