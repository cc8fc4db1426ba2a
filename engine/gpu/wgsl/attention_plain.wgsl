//# Attention in three steps, which leave their results in scratch: what flash attention (attention.wgsl, attention_tile.wgsl) is
//# measured against. A workgroup has one query head of one row.
//#   PART 0  scores of a split of SPLIT positions, scaled, capped and masked
//#   PART 1  their softmax, in place
//#   PART 2  the weighted sum of the values
//# No two rows and no two heads share what they read: positions * KV_HEADS * QUERIES * 2 * HEAD_DIM * (4 bytes in f32, 2 in f16,
//# 1.125 in q8_0) of keys and values a row, and 5 times 4 bytes a score on the way through scratch.
struct Op {
#include "attention_input.wgsl"
  scores: u32,  // [row][head][stride]
  stride: u32,
  out: u32,
  first_row: u32,  // of this dispatch; its scores start with it
}
#include "step.wgsl"
#if PART != 1
#include "kv_read.wgsl"
#endif
#if PART == 0
#include "attention_query.wgsl"
var<workgroup> queries: array<f32, ${HEAD_PADDED}>;
#if SINKS
var<workgroup> sink_queries: array<f32, ${HEAD_PADDED}>;
#endif
#endif
#if PART == 1
var<workgroup> reduced: array<f32, 64>;
#endif

const HIDDEN = -3.4e38;  // a score that counts for nothing

// Visible are [begin, position] and [0, min(sinks, begin)).
fn begin_of(position: u32) -> u32 {
  if (op.window != 0u && position >= op.window) { return position - op.window + 1u; }
  return 0u;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = id.y + op.first_row;
  if (row >= step_rows()) { return; }
  let head = id.x;
  let position = step_position(row);
  let begin = begin_of(position);
  let sinks_end = min(op.sinks, begin);
  let scores = op.scores + (id.y * ${KV_HEADS * QUERIES}u + head) * op.stride;
#if PART != 1
  let kv_head = head / ${QUERIES}u;
  let sequence = step_sequence(row);
#endif
#if PART == 0
  let first = id.z * ${SPLIT}u;
  if (first > position) { return; }
  for (var d = lane; d < ${HEAD_DIM}u; d += 64u) {
    queries[d] = query(row, head, d, false);
#if SINKS
    sink_queries[d] = query(row, head, d, true);
#endif
  }
  workgroupBarrier();
  for (var p = first + lane; p < min(first + ${SPLIT}u, position + 1u); p += 64u) {
    var score = HIDDEN;
    if (p >= begin || p < sinks_end) {
      let block = step_block(op.group, sequence, p >> 5u);
      score = 0.0;
      for (var word = 0u; word < ${HEAD_WORDS}u; word++) {
        let key = key_at(block, kv_head, p & 31u, word);
#for i in 0..VALUES
        {
          var q = queries[word * ${VALUES}u + ${i}u];
#if SINKS
          if (p < sinks_end) { q = sink_queries[word * ${VALUES}u + ${i}u]; }
#endif
#if VALUES == 1
          score = fma(q, key, score);
#else
          score = fma(q, key[${i}], score);
#endif
        }
#end
      }
#if SOFTCAP
      score = op.softcap * tanh(clamp(score / op.softcap, -10.0, 10.0));
#endif
    }
    store(scores + p, score);
  }
#elif PART == 1
  var most = HIDDEN;
  for (var p = lane; p <= position; p += 64u) { most = max(most, load(scores + p)); }
  reduced[lane] = most;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { reduced[lane] = max(reduced[lane], reduced[lane + distance]); }
    workgroupBarrier();
  }
  most = reduced[0];
  workgroupBarrier();
  var whole = 0.0;
  for (var p = lane; p <= position; p += 64u) {
    let weight = exp(load(scores + p) - most);
    store(scores + p, weight);
    whole += weight;
  }
  reduced[lane] = whole;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { reduced[lane] += reduced[lane + distance]; }
    workgroupBarrier();
  }
  whole = reduced[0];
  for (var p = lane; p <= position; p += 64u) { store(scores + p, load(scores + p) / whole); }
#else
  for (var word = lane; word < ${HEAD_WORDS}u; word += 64u) {
#for i in 0..VALUES
    var sum_${i} = 0.0;
#end
    for (var p = select(begin, 0u, sinks_end > 0u); p <= position; p++) {
      if (p < begin && p >= sinks_end) { continue; }
      let weight = load(scores + p);
      let value = value_at(step_block(op.group, sequence, p >> 5u), kv_head, p & 31u, word);
#if VALUES == 1
      sum_0 = fma(weight, value, sum_0);
#else
#for i in 0..VALUES
      sum_${i} = fma(weight, value[${i}], sum_${i});
#end
#endif
    }
    let to = op.out + (row * ${KV_HEADS * QUERIES}u + head) * ${HEAD_DIM}u;
#for i in 0..VALUES
    if (word * ${VALUES}u + ${i}u < ${HEAD_DIM}u) { store(to + word * ${VALUES}u + ${i}u, sum_${i}); }
#end
  }
#endif
}
