//# Flash attention of each row over its sequence's stored keys and values, first half: a workgroup has one row, one kv head
//# with TOGETHER of the query heads that share it (all where workgroup memory has room), and one split of SPLIT positions that
//# starts at a multiple of SPLIT, so that nothing depends on how a text was cut into steps. It leaves, for each query head, the
//# largest score, the sum of the weights and the weighted sum of the values; attention_join.wgsl joins the splits.
//# LISTED: only the rows that no query tile holds (attention_tile.wgsl).
//# A row reads all that it sees for itself:
//#   positions * KV_HEADS * 2 * HEAD_DIM * (4 bytes in f32, 2 in f16, 1.125 in q8_0) * HEAD_GROUPS
//# bytes of keys and values (a scale of q8_0 takes 4 bytes here).
struct Op {
#include "attention_input.wgsl"
  partials: u32,  // [row][head][split][HEAD_DIM + 2]
  splits: u32,    // from one head to the next
  first_row: u32,  // of this dispatch (LISTED: its number in the list); its partials start with it
}
#include "step.wgsl"
#include "kv_read.wgsl"

var<workgroup> query: array<f32, ${TOGETHER * HEAD_PADDED}>;
#if SINKS
var<workgroup> sink_query: array<f32, ${TOGETHER * HEAD_PADDED}>;
#endif
var<workgroup> weights: array<f32, ${TOGETHER * SPLIT}>;
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
#if LISTED
  let number = group.y + op.first_row;
  if (number >= step_lone_rows()) { return; }
  let row = step_lone_row(number);
#else
  let row = group.y + op.first_row;
  if (row >= step_rows()) { return; }
#endif
  let split = group.z;
  let position = step_position(row);
  if (split * ${SPLIT}u > position) { return; }
  let kv_head = group.x / ${HEAD_GROUPS}u;
  let first_head = kv_head * ${QUERIES}u + group.x % ${HEAD_GROUPS}u * ${TOGETHER}u;
  let sequence = step_sequence(row);
  // Visible: [begin, position], and the sinks.
  var begin = 0u;
  if (op.window != 0u && position >= op.window) { begin = position - op.window + 1u; }
  let first = split * ${SPLIT}u;
  let last = min(first + ${SPLIT}u, position + 1u);
  let sinks_end = min(op.sinks, begin);
#for h in 0..TOGETHER
  let partial_${h} = op.partials + ((group.y * ${KV_HEADS * QUERIES}u + first_head + ${h}u) * op.splits + split) * ${HEAD_DIM + 2}u;
#end
  if (last <= begin && first >= sinks_end) {
    if (lane == 0u) {
#for h in 0..TOGETHER
      store(partial_${h}, -3.4e38);
      store(partial_${h} + 1u, 0.0);
#end
    }
    return;
  }
  for (var i = lane; i < ${TOGETHER * HEAD_PADDED}u; i += 64u) {
    let h = i / ${HEAD_PADDED}u;
    let d = i % ${HEAD_PADDED}u;
    var x = 0.0;
    if (d < ${HEAD_DIM}u) { x = load(op.q + (row * ${KV_HEADS * QUERIES}u + first_head + h) * ${HEAD_DIM}u + d) * op.scale; }
    query[i] = x;
#if SINKS
    sink_query[i] = x;
#endif
  }
  workgroupBarrier();
#if SINKS && PAIRS > 0
  // Queries turn back to their distance inside sinks and window (graph/scalar_attention.h).
  if (begin > sinks_end) {
    for (var i = lane; i < ${TOGETHER * PAIRS}u; i += 64u) {
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
#for h in 0..TOGETHER
  var largest_${h} = -3.4e38;
#end
  for (var p = first + lane; p < last; p += 64u) {
    let in_sinks = p < sinks_end;
    let visible = p >= begin || in_sinks;
#for h in 0..TOGETHER
    var score_${h} = -3.4e38;
#end
    if (visible) {
      let block = step_block(op.group, sequence, p >> 5u);
#for h in 0..TOGETHER
      var sum_${h} = 0.0;
#end
      for (var word = 0u; word < ${HEAD_WORDS}u; word++) {
        let key = key_at(block, kv_head, p & 31u, word);
#for h in 0..TOGETHER
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
#for h in 0..TOGETHER
#if SOFTCAP
      score_${h} = op.softcap * tanh(clamp(sum_${h} / op.softcap, -10.0, 10.0));
#else
      score_${h} = sum_${h};
#endif
      largest_${h} = max(largest_${h}, score_${h});
#end
    }
#for h in 0..TOGETHER
    weights[${h * SPLIT}u + p - first] = score_${h};
#end
  }
#for h in 0..TOGETHER
  let most_${h} = largest_of_lanes(lane, largest_${h});
#end
#for h in 0..TOGETHER
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
#for h in 0..TOGETHER
#for i in 0..VALUES
    var sum_${h}_${i} = 0.0;
#end
#end
    for (var p = max(first, start); p < last;) {
      // Once for its 32 positions: finding a block takes reads that wait for each other.
      let block = step_block(op.group, sequence, p >> 5u);
      let end = min(last, (p | 31u) + 1u);
      for (; p < end; p++) {
        if (p < begin && p >= sinks_end) { continue; }
        let value = value_at(block, kv_head, p & 31u, word);
#for h in 0..TOGETHER
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
    }
#for h in 0..TOGETHER
#for i in 0..VALUES
    if (word * ${VALUES}u + ${i}u < ${HEAD_DIM}u) {
      store(partial_${h} + 2u + word * ${VALUES}u + ${i}u, sum_${h}_${i});
    }
#end
#end
  }
}
