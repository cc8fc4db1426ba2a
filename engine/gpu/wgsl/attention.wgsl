//# Flash attention of each row over its sequence's stored keys and values, first half: a workgroup has one row, one kv head
//# with the QUERIES query heads that share it, and one split of SPLIT positions that starts at a multiple of SPLIT, so that
//# nothing depends on how a text was cut into steps. It leaves, for each query head, the largest score, the sum of the weights
//# and the weighted sum of the values; attention_join.wgsl joins the splits.
struct Op {
  q: u32,
  partials: u32,  // [row][head][split][HEAD_DIM + 2]
  splits: u32,    // from one head to the next
  group: u32,
  blocks: u32,
  scale: f32,
  softcap: f32,
  window: u32,    // 0: none
  sinks: u32,
  sink_rope: u32,
  first_row: u32,  // of this dispatch; its partials start with it
}
#include "step.wgsl"
@group(1) @binding(0) var<storage, read> keys: array<u32>;
@group(1) @binding(1) var<storage, read> values: array<u32>;
#include "kv_store.wgsl"
#if KV_TYPE == 2
#include "decode_common.wgsl"
#endif

var<workgroup> query: array<f32, ${QUERIES * HEAD_PADDED}>;
#if SINKS
var<workgroup> sink_query: array<f32, ${QUERIES * HEAD_PADDED}>;
#endif
var<workgroup> weights: array<f32, ${QUERIES * SPLIT}>;
var<workgroup> reduced: array<f32, 64>;

fn largest_of_lanes(lane: u32, value: f32) -> f32 {
  reduced[lane] = value;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { reduced[lane] = max(reduced[lane], reduced[lane + distance]); }
    workgroupBarrier();
  }
  let result = reduced[0];
  workgroupBarrier();
  return result;
}
fn sum_of_lanes(lane: u32, value: f32) -> f32 {
  reduced[lane] = value;
  workgroupBarrier();
  for (var distance = 32u; distance > 0u; distance >>= 1u) {
    if (lane < distance) { reduced[lane] += reduced[lane + distance]; }
    workgroupBarrier();
  }
  let result = reduced[0];
  workgroupBarrier();
  return result;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.y + op.first_row;
  let split = group.z;
  if (row >= step_rows()) { return; }
  let position = step_position(row);
  if (split * ${SPLIT}u > position) { return; }
  let kv_head = group.x;
  let sequence = step_sequence(row);
  // Visible: [begin, position], and the sinks.
  var begin = 0u;
  if (op.window != 0u && position >= op.window) { begin = position - op.window + 1u; }
  let first = split * ${SPLIT}u;
  let last = min(first + ${SPLIT}u, position + 1u);
  let sinks_end = min(op.sinks, begin);
#for h in 0..QUERIES
  let partial_${h} = op.partials + ((group.y * ${KV_HEADS * QUERIES}u + kv_head * ${QUERIES}u + ${h}u) * op.splits + split) * ${HEAD_DIM + 2}u;
#end
  if (last <= begin && first >= sinks_end) {
    if (lane == 0u) {
#for h in 0..QUERIES
      store(partial_${h}, -3.4e38);
      store(partial_${h} + 1u, 0.0);
#end
    }
    return;
  }
  for (var i = lane; i < ${QUERIES * HEAD_PADDED}u; i += 64u) {
    let h = i / ${HEAD_PADDED}u;
    let d = i % ${HEAD_PADDED}u;
    var x = 0.0;
    if (d < ${HEAD_DIM}u) { x = load(op.q + (row * ${KV_HEADS}u + kv_head) * ${QUERIES * HEAD_DIM}u + h * ${HEAD_DIM}u + d) * op.scale; }
    query[i] = x;
#if SINKS
    sink_query[i] = x;
#endif
  }
  workgroupBarrier();
#if SINKS && PAIRS > 0
  // Queries turn back to their distance inside sinks and window (graph/scalar_attention.h).
  if (begin > sinks_end) {
    for (var i = lane; i < ${QUERIES * PAIRS}u; i += 64u) {
      let h = i / ${PAIRS}u;
      let pair = i % ${PAIRS}u;
#if ADJACENT
      let a = h * ${HEAD_PADDED}u + 2u * pair;
      let b = a + 1u;
#else
      let a = h * ${HEAD_PADDED}u + pair;
      let b = a + ${PAIRS}u;
#endif
      let c = step_rope(op.sink_rope, row * ${2 * PAIRS}u + pair);
      let s = step_rope(op.sink_rope, row * ${2 * PAIRS}u + ${PAIRS}u + pair);
      let x = query[a];
      let y = query[b];
      sink_query[a] = x * c - y * s;
      sink_query[b] = x * s + y * c;
    }
  }
  workgroupBarrier();
#endif

  // Scores: a lane has a position.
#for h in 0..QUERIES
  var largest_${h} = -3.4e38;
#end
  for (var p = first + lane; p < last; p += 64u) {
    let in_sinks = p < sinks_end;
    let visible = p >= begin || in_sinks;
#for h in 0..QUERIES
    var score_${h} = -3.4e38;
#end
    if (visible) {
      let block = step_block(op.group, sequence, p >> 5u);
#for h in 0..QUERIES
      var sum_${h} = 0.0;
#end
      for (var word = 0u; word < ${HEAD_WORDS}u; word++) {
        let packed = keys[key_word(block, kv_head, p & 31u, word)];
#if KV_TYPE == 0
        let key = bitcast<f32>(packed);
#elif KV_TYPE == 1
        let key = unpack2x16float(packed);
#else
        let key = bitcast<f32>(keys[scale_word(op.blocks, block, kv_head, p & 31u, word >> 3u)]) * quad(packed);
#endif
#for h in 0..QUERIES
#for i in 0..VALUES
        {
          var q = query[${h * HEAD_PADDED}u + word * ${VALUES}u + ${i}u];
#if SINKS
          if (in_sinks) { q = sink_query[${h * HEAD_PADDED}u + word * ${VALUES}u + ${i}u]; }
#endif
#if VALUES == 1
          sum_${h} = fma(q, key, sum_${h});
#else
          sum_${h} = fma(q, key[${i}], sum_${h});
#endif
        }
#end
#end
      }
#for h in 0..QUERIES
#if SOFTCAP
      score_${h} = op.softcap * tanh(clamp(sum_${h} / op.softcap, -10.0, 10.0));
#else
      score_${h} = sum_${h};
#endif
      largest_${h} = max(largest_${h}, score_${h});
#end
    }
#for h in 0..QUERIES
    weights[${h * SPLIT}u + p - first] = score_${h};
#end
  }
#for h in 0..QUERIES
  let most_${h} = largest_of_lanes(lane, largest_${h});
#end
#for h in 0..QUERIES
  {
    var sum = 0.0;
    for (var i = lane; i < last - first; i += 64u) {
      let score = weights[${h * SPLIT}u + i];
      let weight = select(exp(score - most_${h}), 0.0, score < -3.3e38);
      weights[${h * SPLIT}u + i] = weight;
      sum += weight;
    }
    let whole = sum_of_lanes(lane, sum);
    if (lane == 0u) {
      store(partial_${h}, most_${h});
      store(partial_${h} + 1u, whole);
    }
  }
#end

  // Values: a lane has a word of them.
  let start = select(begin, 0u, sinks_end > 0u);
  for (var word = lane; word < ${HEAD_WORDS}u; word += 64u) {
#for h in 0..QUERIES
#for i in 0..VALUES
    var sum_${h}_${i} = 0.0;
#end
#end
    for (var p = max(first, start); p < last; p++) {
      if (p < begin && p >= sinks_end) { continue; }
      let block = step_block(op.group, sequence, p >> 5u);
      let packed = values[value_word(block, kv_head, p & 31u, word)];
#if KV_TYPE == 0
      let value = bitcast<f32>(packed);
#elif KV_TYPE == 1
      let value = unpack2x16float(packed);
#else
      let value = bitcast<f32>(values[scale_word(op.blocks, block, kv_head, p & 31u, word >> 3u)]) * quad(packed);
#endif
#for h in 0..QUERIES
      {
        let weight = weights[${h * SPLIT}u + p - first];
#if VALUES == 1
        sum_${h}_0 = fma(weight, value, sum_${h}_0);
#else
#for i in 0..VALUES
        sum_${h}_${i} = fma(weight, value[${i}], sum_${h}_${i});
#end
#endif
      }
#end
    }
#for h in 0..QUERIES
#for i in 0..VALUES
    if (word * ${VALUES}u + ${i}u < ${HEAD_DIM}u) {
      store(partial_${h} + 2u + word * ${VALUES}u + ${i}u, sum_${h}_${i});
    }
#end
#end
  }
}
