//# Bias, then penalties, on the logits of one sample in place: a lane has an entry, or a token that the host has not read.
#include "sample.wgsl"
@group(1) @binding(${SAMPLED}) var<storage, read> sampled: array<i32>;

// The token that was sampled `before` samples before the newest.
fn unread_token(sample: u32, before: u32) -> u32 {
  let which = (sample_word(sample, UNREAD_NEWEST) + ${DEPTH}u - before) % ${DEPTH}u;
  return bitcast<u32>(sampled[sample_word(sample, UNREAD_SLOT) + which]);
}

fn penalise(sample: u32, at: u32, times: u32, bias: f32) {
  var logit = load(at) + bias;
  if (times > 0u) {
    let repeat = sample_float(sample, REPEAT_PENALTY);
    logit = select(logit * repeat, logit / repeat, logit > 0.0);
    logit -= f32(times) * sample_float(sample, FREQUENCY_PENALTY) + sample_float(sample, PRESENCE_PENALTY);
  }
  store(at, logit);
}

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sample = group.x;
  let row = op.logits + sample_word(sample, LOGIT_ROW) * op.vocabulary;
  let entries = sample_word(sample, ENTRIES);
  let count = sample_word(sample, N_ENTRIES);
  let unread = sample_word(sample, UNREAD);
  for (var i = lane; i < count + unread; i += ${LANES}u) {
    var token = 0u;
    var times = 0u;
    var bias = 0.0;
    if (i < count) {
      token = step[entries + 3u * i];
      times = step[entries + 3u * i + 1u];
      bias = bitcast<f32>(step[entries + 3u * i + 2u]);
      for (var j = 0u; j < unread; j++) { times += select(0u, 1u, unread_token(sample, j) == token); }
    } else {
      let mine = i - count;
      token = unread_token(sample, mine);
      var first = token < op.vocabulary;  // not so where there was nothing to choose
      for (var j = 0u; j < mine; j++) { first = first && unread_token(sample, j) != token; }
      for (var j = 0u; j < count; j++) { first = first && step[entries + 3u * j] != token; }
      if (!first) { continue; }
      for (var j = mine; j < unread; j++) { times += select(0u, 1u, unread_token(sample, j) == token); }
    }
    penalise(sample, row + token, times, bias);
  }
}
