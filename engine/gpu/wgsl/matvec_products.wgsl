//# The middle of a kernel's main: sum_<accumulator>_<row>, of a lane's slice of rows `first_row`.. of x (at most `last_row`)
//# times row r of a tile; names as in matvec.wgsl.
//#   TILE_p   the tile of matrix p, an expression
#for p in 0..ACCUMULATORS
#for row in 0..ROWS
  var sum_${p}_${row} = 0.0;
#end
#end
  for (var first = 0u; first < ${BLOCKS}; first += ${CHUNK}u) {
    let blocks = min(${CHUNK}u, ${BLOCKS} - first);
    workgroupBarrier();
    // Rows past the end are computed from the last one and not stored.
#if ROUNDED
    // Neighbouring lanes have neighbouring rows, which lie side by side.
    for (var i = lane; i < ${ROWS * CHUNK}u; i += LANES) {
      let row = i % ${ROWS}u;
      let b = i / ${ROWS}u;
      if (b >= blocks) { continue; }
      let source = rounded_block(op.x, min(first_row + row, last_row), first + b);
      let to = (row * ${CHUNK}u + b) * 3u;
      x_words[to] = vec4<u32>(arena[source], arena[source + 32u], arena[source + 64u], arena[source + 96u]);
      x_words[to + 1u] = vec4<u32>(arena[source + 128u], arena[source + 160u], arena[source + 192u], arena[source + 224u]);
      x_words[to + 2u] = vec4<u32>(arena[source + 256u], arena[source + 288u], arena[source + 320u], 0u);
    }
    workgroupBarrier();
#else
    // Neighbouring lanes bring neighbouring quads, so that they read one run of memory: with a block a lane each read of a
    // subgroup touches as many lines as it has lanes (docs/performance.md counts them for an H200).
    for (var i = lane; i < ${ROWS * CHUNK * 8}u; i += LANES) {
      let at = i >> 3u;
      let row = at / ${CHUNK}u;
      let b = at % ${CHUNK}u;
      if (b >= blocks) { continue; }
      let x = x_quad(min(first_row + row, last_row), (first + b) * 32u + (i & 7u) * 4u, x_scale[row]);
#if INT8
      x_words[at * 9u + (i & 7u)] = bitcast<vec4<u32>>(x);
#else
      x_values[at * 9u + (i & 7u)] = x;
#endif
    }
    workgroupBarrier();
#if INT8
    for (var at = lane; at < ${ROWS * CHUNK}u; at += LANES) {
      if (at % ${CHUNK}u >= blocks) { continue; }
#for j in 0..8
      let x${j} = bitcast<vec4<f32>>(x_words[at * 9u + ${j}u]);
#end
#include "round_quads.wgsl"
      x_words[at * 9u] = low_quants;
      x_words[at * 9u + 1u] = high_quants;
      x_words[at * 9u + 8u] = bitcast<vec4<u32>>(quants_meta);
    }
    workgroupBarrier();
#elif QUANTS
    for (var i = lane; i < ${ROWS * CHUNK}u; i += LANES) {
      let at = i * 9u;
      let a = (x_values[at] + x_values[at + 1u]) + (x_values[at + 2u] + x_values[at + 3u]);
      let b = (x_values[at + 4u] + x_values[at + 5u]) + (x_values[at + 6u] + x_values[at + 7u]);
      x_sums[i] = vec2<f32>((a.x + a.y) + (a.z + a.w), (b.x + b.y) + (b.z + b.w));
    }
    workgroupBarrier();
#endif
#endif
#for p in 0..MATRICES
#if GATED || MATRICES == 1
    {
#elif p == MATRICES - 1
    if (group.x >= ${FIRST_${p}}) {
#else
    if (group.x >= ${FIRST_${p}} && group.x < ${FIRST_${p + 1}}) {
#endif
      for (var b = slice; b < blocks; b += ${SLICES}u) {
#if FLOAT_${p}
#for j in 0..8
        let w${j} = float_quad_${p}(${TILE_${p}}, first + b, r, ${j}u);
#end
#for row in 0..ROWS
        {
          let at = (${row * CHUNK}u + b) * 9u;
          let products = ((dot(w0, x_values[at]) + dot(w1, x_values[at + 1u])) +
                          (dot(w2, x_values[at + 2u]) + dot(w3, x_values[at + 3u]))) +
                         ((dot(w4, x_values[at + 4u]) + dot(w5, x_values[at + 5u])) +
                          (dot(w6, x_values[at + 6u]) + dot(w7, x_values[at + 7u])));
          sum_${GATED * p}_${row} += products;
        }
#end
#else
        let w = block_${p}(${TILE_${p}}, first + b, r);
#if INT8
#for row in 0..ROWS
        {
          let at = ${row * CHUNK}u + b;
          let a = x_words[at * ${VECTORS}u];
          let c = x_words[at * ${VECTORS}u + 1u];
          let low = ${DOT4}(w.a.x, a.x) + ${DOT4}(w.a.y, a.y) + ${DOT4}(w.a.z, a.z) + ${DOT4}(w.a.w, a.w);
          let high = ${DOT4}(w.b.x, c.x) + ${DOT4}(w.b.y, c.y) + ${DOT4}(w.b.z, c.z) + ${DOT4}(w.b.w, c.w);
          let m = bitcast<vec4<f32>>(x_words[at * ${VECTORS}u + ${VECTORS - 1}u]);
          let whole = dot(w.scale, vec2<f32>(f32(low), f32(high))) + dot(w.base, m.yz);
          sum_${GATED * p}_${row} = fma(whole, m.x, sum_${GATED * p}_${row});
        }
#end
#else
        let w0 = quad(w.a.x);
        let w1 = quad(w.a.y);
        let w2 = quad(w.a.z);
        let w3 = quad(w.a.w);
        let w4 = quad(w.b.x);
        let w5 = quad(w.b.y);
        let w6 = quad(w.b.z);
        let w7 = quad(w.b.w);
#for row in 0..ROWS
        {
          let at = (${row * CHUNK}u + b) * 9u;
          let low = (dot(w0, x_values[at]) + dot(w1, x_values[at + 1u])) +
                    (dot(w2, x_values[at + 2u]) + dot(w3, x_values[at + 3u]));
          let high = (dot(w4, x_values[at + 4u]) + dot(w5, x_values[at + 5u])) +
                     (dot(w6, x_values[at + 6u]) + dot(w7, x_values[at + 7u]));
          sum_${GATED * p}_${row} += dot(w.scale, vec2<f32>(low, high)) + dot(w.base, x_sums[${row * CHUNK}u + b]);
        }
#end
#endif
#endif
      }
    }
#end
  }
