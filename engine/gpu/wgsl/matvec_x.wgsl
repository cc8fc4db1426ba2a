//# x in workgroup memory, for kernels that walk along few rows (matvec_products.wgsl); names as in matvec.wgsl.
// VECTORS of a block, 9 for the 8 of its columns: the odd distance spreads the slices over the banks.
#if INT8
// Bits of floats until the block is rounded: its integers then take the first two places, scale and sums of both halves
// the last. Those three are all where it was rounded before.
var<workgroup> x_words: array<vec4<u32>, ${ROWS * CHUNK * VECTORS}>;
#else
var<workgroup> x_values: array<vec4<f32>, ${ROWS * CHUNK * 9}>;
var<workgroup> x_sums: array<vec2<f32>, ${ROWS * CHUNK}>;  // of both halves
#endif
var<workgroup> x_scale: array<f32, ${ROWS}>;  // of the norm

#if ROUNDED
#include "rounded_x.wgsl"
#endif

// 4 columns of a row of x, from column k on.
fn x_quad(row: u32, k: u32, scale: f32) -> vec4<f32> {
  let at = op.x + row * ${COLUMNS} + k;
  var x = vec4<f32>(0.0);
#for i in 0..4
#if WHOLE
  x[${i}] = load(at + ${i}u);
#else
  if (k + ${i}u < ${COLUMNS}) { x[${i}] = load(at + ${i}u); }
#endif
#end
#if NORM
  let w = op.norm + k;
#for i in 0..4
#if WHOLE
  x[${i}] *= scale * load(w + ${i}u);
#else
  if (k + ${i}u < ${COLUMNS}) { x[${i}] *= scale * load(w + ${i}u); }
#endif
#end
#endif
  return x;
}

#include "round_block.wgsl"
