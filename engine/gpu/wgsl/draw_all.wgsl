//# A token drawn from all that min-p leaves, in the order of ids: a workgroup has one sample, a lane a run of ids.
#include "sample.wgsl"
#include "order.wgsl"
@group(1) @binding(${SAMPLED}) var<storage, read_write> sampled: array<i32>;
@group(1) @binding(${RESULTS}) var<storage, read_write> results: array<i32>;
var<workgroup> sums: array<f32, ${LANES}>;
var<workgroup> chosen_lane: u32;
var<workgroup> target_in_lane: f32;

// The share of the token whose logit lies at `at`, 1 for the most likely; 0 where it is none of the candidates.
fn weight(at: u32, highest: f32, least: f32, temperature: f32) -> f32 {
  let key = order_key(arena[at]);
  if (key == 0u) { return 0.0; }
  let logit = logit_of(key);
  return select(0.0, exp((logit - highest) / temperature), logit >= least);
}

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sample = group.x;
  if (sample_word(sample, DRAW) != 2u) { return; }
  let row = op.logits + sample_word(sample, LOGIT_ROW) * op.vocabulary;
  let best = max(results[sample], 0);
  let highest = logit_of(order_key(arena[row + u32(best)]));
  let least = highest + sample_float(sample, LEAST);
  let temperature = sample_float(sample, TEMPERATURE);
  let run = (op.vocabulary + ${LANES - 1}u) / ${LANES}u;
  let begin = min(lane * run, op.vocabulary);
  let end = min(begin + run, op.vocabulary);
  var sum = 0.0;
  for (var i = begin; i < end; i++) { sum += weight(row + i, highest, least, temperature); }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0.0;
    for (var i = 0u; i < ${LANES}u; i++) { total += sums[i]; }
    let wanted = sample_float(sample, UNIFORM) * total;
    var reached = 0.0;
    // What rounding keeps from being reached is the last one's.
    for (var i = 0u; i < ${LANES}u; i++) {
      if (!(sums[i] > 0.0)) { continue; }
      chosen_lane = i;
      target_in_lane = wanted - reached;
      reached += sums[i];
      if (reached > wanted) { break; }
    }
  }
  workgroupBarrier();
  if (lane != chosen_lane || results[sample] < 0) { return; }
  var reached = 0.0;
  var token = best;
  for (var i = begin; i < end; i++) {
    let mine = weight(row + i, highest, least, temperature);
    if (!(mine > 0.0)) { continue; }
    token = i32(i);
    reached += mine;
    if (reached > target_in_lane) { break; }
  }
  sampled[sample_word(sample, PLACE)] = token;
  results[sample] = token;
}
