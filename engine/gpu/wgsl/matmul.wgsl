//# y = x W^T for many rows of x: a workgroup of 64 lanes computes EDGE rows of x times EDGE rows of W, each lane SIDE = EDGE / 8
//# of both, along K in steps of one block of 32 columns that lies in workgroup memory. A lane decodes a weight row and brings
//# a row of x; with 32 of each one half of the lanes does the one and the other the other. Names as in matvec.wgsl; a norm
//# comes before, in a kernel of its own.
//#   ROUNDED   x was rounded before, too (round_rows.wgsl)
//#   HALVES    to f16, as the tiles are
#include "matmul_op.wgsl"
#include "step.wgsl"

#if INT8
// 3 vectors for a row of 32 bytes, 9 below: the odd distance spreads rows over the banks.
var<workgroup> x_quants: array<vec4<u32>, ${3 * EDGE}>;
var<workgroup> x_meta: array<vec4<f32>, ${EDGE}>;  // scale; sums of both halves
#for m in 0..ACCUMULATORS
var<workgroup> w_quants_${m}: array<vec4<u32>, ${3 * EDGE}>;
var<workgroup> w_scales_${m}: array<vec4<f32>, ${EDGE}>;  // scale and base of both halves
fn put_w_${m}(row: u32, j: u32, w: vec4<f32>) {}
#end
#else
var<workgroup> x_values: array<vec4<${NUMBER}>, ${9 * EDGE}>;
#for m in 0..ACCUMULATORS
var<workgroup> w_values_${m}: array<vec4<${NUMBER}>, ${9 * EDGE}>;
fn put_w_${m}(row: u32, j: u32, w: vec4<f32>) { w_values_${m}[row * 9u + j] = vec4<${NUMBER}>(w); }
#end
#endif
#include "matmul_tile.wgsl"

#if !ROUNDED
#include "matmul_x.wgsl"
#include "round_block.wgsl"
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let first_row = group.y * ${EDGE}u;
  if (first_row >= count) { return; }
  let mine = lane & ${EDGE - 1}u;                      // the row that this lane brings
  let x_row = min(first_row + mine, count - 1u);
  // It computes every eighth row of W and of x from these on, so that neighbouring lanes read neighbouring rows, which lie
  // on different banks.
  let across = lane & 7u;
  let down = lane >> 3u;
#for m in 0..ACCUMULATORS
#for i in 0..SIDE
#for g in 0..SIDE / 4
  var sum_${m}_${i}_${g} = vec4<f32>(0.0);
#end
#end
#end
  for (var kb = 0u; kb < ${KB}u; kb++) {
    workgroupBarrier();
#if EDGE == 32
    if (lane < 32u) {
      bring_w(group.x, mine, kb);
    } else {
#else
    bring_w(group.x, mine, kb);
    {
#endif
#if ROUNDED && INT8
      let at = rounded_block(op.x, x_row, kb);
      x_quants[mine * 3u] = vec4<u32>(arena[at], arena[at + 32u], arena[at + 64u], arena[at + 96u]);
      x_quants[mine * 3u + 1u] = vec4<u32>(arena[at + 128u], arena[at + 160u], arena[at + 192u], arena[at + 224u]);
      x_meta[mine] = vec4<f32>(load(at + 256u), load(at + 288u), load(at + 320u), 0.0);
#elif HALVES
      let at = rounded_block(op.x, x_row, kb);
      for (var j = 0u; j < 8u; j++) {
        let x = vec4<f32>(unpack2x16float(arena[at + 64u * j]), unpack2x16float(arena[at + 64u * j + 32u]));
        x_values[mine * 9u + j] = vec4<${NUMBER}>(x);
      }
#else
#for j in 0..8
      let x${j} = x_quad(x_row, kb * 32u + ${4 * j}u);
#end
#if INT8
#include "round_quads.wgsl"
      x_quants[mine * 3u] = low_quants;
      x_quants[mine * 3u + 1u] = high_quants;
      x_meta[mine] = quants_meta;
#else
#for j in 0..8
      x_values[mine * 9u + ${j}u] = x${j};
#end
#endif
#endif
    }
    workgroupBarrier();
#if INT8
    // Four rows of x at a time, which registers hold.
#for h in 0..SIDE / 4
    {
#for i in 0..4
    let xa${i} = x_quants[(down + ${8 * (4 * h + i)}u) * 3u];
    let xb${i} = x_quants[(down + ${8 * (4 * h + i)}u) * 3u + 1u];
    let xm${i} = x_meta[down + ${8 * (4 * h + i)}u];
#end
#for m in 0..ACCUMULATORS
#for n in 0..SIDE
    {
      let a = w_quants_${m}[(across + ${8 * n}u) * 3u];
      let b = w_quants_${m}[(across + ${8 * n}u) * 3u + 1u];
      let s = w_scales_${m}[across + ${8 * n}u];
#for i in 0..4
      {
        let low = ${DOT4}(a.x, xa${i}.x) + ${DOT4}(a.y, xa${i}.y) + ${DOT4}(a.z, xa${i}.z) + ${DOT4}(a.w, xa${i}.w);
        let high = ${DOT4}(b.x, xb${i}.x) + ${DOT4}(b.y, xb${i}.y) + ${DOT4}(b.z, xb${i}.z) + ${DOT4}(b.w, xb${i}.w);
        let whole = dot(s.xy, vec2<f32>(f32(low), f32(high))) + dot(s.zw, xm${i}.yz);
        sum_${m}_${4 * h + i}_${n / 4}[${n % 4}] = fma(whole, xm${i}.x, sum_${m}_${4 * h + i}_${n / 4}[${n % 4}]);
      }
#end
    }
#end
#end
    }
#end
#else
    for (var j = 0u; j < 8u; j++) {
#for i in 0..SIDE
      let x${i} = vec4<f32>(x_values[(down + ${8 * i}u) * 9u + j]);
#end
#for m in 0..ACCUMULATORS
#for n in 0..SIDE
      {
        let w = vec4<f32>(w_values_${m}[(across + ${8 * n}u) * 9u + j]);
#for i in 0..SIDE
        sum_${m}_${i}_${n / 4}[${n % 4}] += dot(w, x${i});
#end
      }
#end
#end
    }
#endif
  }

#for i in 0..SIDE
  if (first_row + down + ${8 * i}u < count) {
    let row = first_row + down + ${8 * i}u;
    let unit = unit_of(row);
    for (var n = 0u; n < 4u; n++) {
#for g in 0..SIDE / 4
      finish(group.x, row, across + ${32 * g}u + 8u * n, unit * sum_0_${i}_${g}[n], unit * sum_${GATED}_${i}_${g}[n]);
#end
    }
  }
#end
}
