//# A token drawn from the TOP_K most likely ones that top-p and min-p leave, most likely first: a workgroup has one
//# sample. The k-th best is found digit by digit, of order keys and, among its equals, of ids; no sum depends on the order
//# in which lanes come.
#include "sample.wgsl"
#include "order.wgsl"
@group(1) @binding(${SAMPLED}) var<storage, read_write> sampled: array<i32>;
@group(1) @binding(${RESULTS}) var<storage, read_write> results: array<i32>;
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> keys: array<u32, ${LANES}>;
var<workgroup> tokens: array<u32, ${LANES}>;
var<workgroup> weights: array<f32, ${LANES}>;
var<workgroup> found: vec2<u32>;  // a digit, and how many are still wanted within it
var<workgroup> taken: atomic<u32>;

// Among the values whose upper digits are `prefix` the next digit of the one that is number `wanted` from above. `values`
// 0: order keys; 1: ~ids of the tokens with order key `key`.
fn next_digit(lane: u32, row: u32, values: u32, key: u32, prefix: u32, shift: u32, wanted: u32) -> vec2<u32> {
  atomicStore(&counts[lane], 0u);
  workgroupBarrier();
  for (var i = lane; i < op.vocabulary; i += ${LANES}u) {
    let mine = order_key(arena[row + i]);
    if (mine == 0u || (values == 1u && mine != key)) { continue; }
    let value = select(mine, ~i, values == 1u);
    // Two shifts: one of 32 bits is not defined.
    if (((value >> shift) >> 8u) == prefix) { atomicAdd(&counts[(value >> shift) & 255u], 1u); }
  }
  workgroupBarrier();
  if (lane == 0u) {
    var left = wanted;
    var digit = 255u;
    loop {
      let here = atomicLoad(&counts[digit]);
      if (left <= here || digit == 0u) { break; }
      left -= here;
      digit -= 1u;
    }
    found = vec2<u32>(digit, left);
  }
  return workgroupUniformLoad(&found);
}

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sample = group.x;
  if (sample_word(sample, DRAW) != 1u) { return; }
  let row = op.logits + sample_word(sample, LOGIT_ROW) * op.vocabulary;

  // The k-th largest key, or the smallest where there are fewer.
  var key = 0u;
  var wanted = sample_word(sample, TOP_K);
  for (var shift = 32u; shift > 0u; shift -= 8u) {
    let digit = next_digit(lane, row, 0u, 0u, key, shift - 8u, wanted);
    key = (key << 8u) | digit.x;
    wanted = digit.y;
  }
  // Of the tokens that have it those with the lowest ids: the largest complements.
  var token = 0u;
  for (var shift = 32u; shift > 0u; shift -= 8u) {
    let digit = next_digit(lane, row, 1u, key, token, shift - 8u, wanted);
    token = (token << 8u) | digit.x;
    wanted = digit.y;
  }

  keys[lane] = 0u;
  tokens[lane] = 0xffffffffu;
  if (lane == 0u) { atomicStore(&taken, 0u); }
  workgroupBarrier();
  for (var i = lane; i < op.vocabulary; i += ${LANES}u) {
    let mine = order_key(arena[row + i]);
    if (mine == 0u || mine < key || (mine == key && ~i < token)) { continue; }
    let at = atomicAdd(&taken, 1u);
    if (at < ${LANES}u) {
      keys[at] = mine;
      tokens[at] = i;
    }
  }
  workgroupBarrier();

  // Bitonic: most likely first, the lower id on a tie.
  for (var size = 2u; size <= ${LANES}u; size <<= 1u) {
    for (var distance = size >> 1u; distance > 0u; distance >>= 1u) {
      let other = lane ^ distance;
      if (other > lane) {
        let behind = keys[other] > keys[lane] || (keys[other] == keys[lane] && tokens[other] < tokens[lane]);
        if (behind == ((lane & size) == 0u)) {
          let k = keys[lane];
          let t = tokens[lane];
          keys[lane] = keys[other];
          tokens[lane] = tokens[other];
          keys[other] = k;
          tokens[other] = t;
        }
      }
      workgroupBarrier();
    }
  }

  let count = min(atomicLoad(&taken), ${LANES}u);
  let highest = logit_of(max(keys[0], 1u));
  weights[lane] = select(0.0, exp(logit_of(max(keys[lane], 1u)) - highest), lane < count);
  workgroupBarrier();
  if (lane != 0u || count == 0u) { return; }
  var mass = 0.0;
  for (var i = 0u; i < count; i++) { mass += weights[i]; }
  let top_p = sample_float(sample, TOP_P);
  let least = highest + sample_float(sample, LEAST);
  var kept = 0u;
  var reached = 0.0;
  while (kept < count && logit_of(keys[kept]) >= least) {
    reached += weights[kept];
    kept += 1u;
    if (top_p < 1.0 && reached >= top_p * mass) { break; }
  }
  let temperature = sample_float(sample, TEMPERATURE);
  var total = 0.0;
  for (var i = 0u; i < kept; i++) {
    weights[i] = exp((logit_of(keys[i]) - highest) / temperature);
    total += weights[i];
  }
  let wanted_mass = sample_float(sample, UNIFORM) * total;
  reached = 0.0;
  var chosen = tokens[0];
  for (var i = 0u; i < kept; i++) {
    if (!(weights[i] > 0.0)) { continue; }
    chosen = tokens[i];
    reached += weights[i];
    if (reached > wanted_mass) { break; }
  }
  sampled[sample_word(sample, PLACE)] = i32(chosen);
  results[sample] = i32(chosen);
}
