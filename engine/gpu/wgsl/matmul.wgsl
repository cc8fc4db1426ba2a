//# y = x W^T for many rows of x: a workgroup of 64 lanes computes 32 rows of x times 32 rows of W (4 tiles of 8), each lane
//# 4 x 4 of them, along K in steps of one block of 32 columns that lies in workgroup memory. While lanes 0..31 decode a
//# weight row each, lanes 32..63 bring a row of x each. Names as in matvec.wgsl; a norm comes before, in a kernel of its own.
//#   FIRST_GROUP_p   workgroups from this number on belong to matrix p
#include "matmul_op.wgsl"
#include "step.wgsl"

#if INT8
// 3 vectors for a row of 32 bytes, 9 below: the odd distance spreads rows over the banks.
var<workgroup> x_quants: array<vec4<u32>, 96>;
var<workgroup> x_meta: array<vec4<f32>, 32>;  // scale; sums of both halves
#for m in 0..ACCUMULATORS
var<workgroup> w_quants_${m}: array<vec4<u32>, 96>;
var<workgroup> w_scales_${m}: array<vec4<f32>, 32>;  // scale and base of both halves
#end
#else
var<workgroup> x_values: array<vec4<f32>, 288>;
#for m in 0..ACCUMULATORS
var<workgroup> w_values_${m}: array<vec4<f32>, 288>;
#end
#endif

fn x_quad(row: u32, k: u32) -> vec4<f32> {
  let at = op.x + row * ${K}u + k;
  var x = vec4<f32>(0.0);
#for i in 0..4
#if K % 32 == 0
  x[${i}] = load(at + ${i}u);
#else
  if (k + ${i}u < ${K}u) { x[${i}] = load(at + ${i}u); }
#endif
#end
  return x;
}

#include "round_block.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step_rows(), step_logit_rows(), op.row_set == 1u);
  let first_row = group.y * 32u;
  if (first_row >= count) { return; }
  let mine = lane & 31u;                               // the row that this lane brings
  let x_row = min(first_row + mine, count - 1u);
  let across = (lane & 7u) * 4u;                       // its 4 rows of W
  let down = (lane >> 3u) * 4u;                        // and of x
#for m in 0..ACCUMULATORS
#for i in 0..4
  var sum_${m}_${i} = vec4<f32>(0.0);
#end
#end
  for (var kb = 0u; kb < ${KB}u; kb++) {
    workgroupBarrier();
    if (lane < 32u) {
#for p in 0..MATRICES
#if GATED
      {
        let tile = group.x * 4u + (mine >> 3u);
#else
#if p == MATRICES - 1
      if (group.x >= ${FIRST_GROUP_${p}}u) {
#else
      if (group.x >= ${FIRST_GROUP_${p}}u && group.x < ${FIRST_GROUP_${p + 1}}u) {
#endif
        let tile = (group.x - ${FIRST_GROUP_${p}}u) * 4u + (mine >> 3u);
#endif
        let r = mine & 7u;
        // Past the last tile: any values, for they are not stored.
        let inside = min(tile, ${TILES_${p}}u - 1u);
#if FLOAT_${p}
#for j in 0..8
        w_values_${GATED * p}[mine * 9u + ${j}u] = float_quad_${p}(inside, kb, r, ${j}u);
#end
#else
        let w = block_${p}(inside, kb, r);
#if INT8
        w_quants_${GATED * p}[mine * 3u] = w.a;
        w_quants_${GATED * p}[mine * 3u + 1u] = w.b;
        w_scales_${GATED * p}[mine] = vec4<f32>(w.scale, w.base);
#else
#for j in 0..4
        w_values_${GATED * p}[mine * 9u + ${j}u] = fma(vec4<f32>(w.scale.x), quad(w.a[${j}]), vec4<f32>(w.base.x));
        w_values_${GATED * p}[mine * 9u + ${4 + j}u] = fma(vec4<f32>(w.scale.y), quad(w.b[${j}]), vec4<f32>(w.base.y));
#end
#endif
#endif
      }
#end
    } else {
#for j in 0..8
      let x${j} = x_quad(x_row, kb * 32u + ${4 * j}u);
#end
#if INT8
      let at = mine;
#include "round_quads.wgsl"
#else
#for j in 0..8
      x_values[mine * 9u + ${j}u] = x${j};
#end
#endif
    }
    workgroupBarrier();
#if INT8
#for i in 0..4
    let xa${i} = x_quants[(down + ${i}u) * 3u];
    let xb${i} = x_quants[(down + ${i}u) * 3u + 1u];
    let xm${i} = x_meta[down + ${i}u];
#end
#for m in 0..ACCUMULATORS
#for n in 0..4
    {
      let a = w_quants_${m}[(across + ${n}u) * 3u];
      let b = w_quants_${m}[(across + ${n}u) * 3u + 1u];
      let s = w_scales_${m}[across + ${n}u];
#for i in 0..4
      {
        let low = ${DOT4}(a.x, xa${i}.x) + ${DOT4}(a.y, xa${i}.y) + ${DOT4}(a.z, xa${i}.z) + ${DOT4}(a.w, xa${i}.w);
        let high = ${DOT4}(b.x, xb${i}.x) + ${DOT4}(b.y, xb${i}.y) + ${DOT4}(b.z, xb${i}.z) + ${DOT4}(b.w, xb${i}.w);
        let whole = dot(s.xy, vec2<f32>(f32(low), f32(high))) + dot(s.zw, xm${i}.yz);
        sum_${m}_${i}[${n}] = fma(whole, xm${i}.x, sum_${m}_${i}[${n}]);
      }
#end
    }
#end
#end
#else
    for (var j = 0u; j < 8u; j++) {
#for i in 0..4
      let x${i} = x_values[(down + ${i}u) * 9u + j];
#end
#for m in 0..ACCUMULATORS
#for n in 0..4
      {
        let w = w_values_${m}[(across + ${n}u) * 9u + j];
#for i in 0..4
        sum_${m}_${i}[${n}] += dot(w, x${i});
#end
      }
#end
#end
    }
#endif
  }

#for i in 0..4
  if (first_row + down + ${i}u < count) {
    let row = first_row + down + ${i}u;
    for (var n = 0u; n < 4u; n++) {
#if GATED
      let at = group.x * 32u + across + n;
      if (at < op.rows[0]) {
        var gate = sum_0_${i}[n];
        var up = sum_1_${i}[n];
#if BIAS_0
        gate += load(op.bias[0] + at);
#endif
#if BIAS_1
        up += load(op.bias[1] + at);
#endif
        store(op.out[0] + row * op.width[0] + at, ${ACT}(gate) * up);
      }
#else
#for p in 0..MATRICES
#if p == MATRICES - 1
      if (group.x >= ${FIRST_GROUP_${p}}u) {
#else
      if (group.x >= ${FIRST_GROUP_${p}}u && group.x < ${FIRST_GROUP_${p + 1}}u) {
#endif
        let at = (group.x - ${FIRST_GROUP_${p}}u) * 32u + across + n;
        if (at < op.rows[${p}]) {
          var y = sum_0_${i}[n];
#if BIAS_${p}
          y += load(op.bias[${p}] + at);
#endif
          y = ${ACT}(y);
#if RESIDUAL
          y += load(op.residual + row * op.width[${p}] + at);
#endif
          store(op.out[${p}] + row * op.width[${p}] + at, y);
        }
      }
#end
#endif
    }
  }
#end
}
