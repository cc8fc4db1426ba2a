//# What follows the query, key and value projections, one workgroup a head of a row: head norm (NORM), RoPE (ROPE), and for keys and
//# values the way into the KV store. PART: 0 a value that stays in the arena (a query), 1 keys, 2 values.
//# All of them in one dispatch: heads from HEADS on are keys, from HEADS + KV_HEADS on values.
struct Op {
  q: u32,
  k: u32,
  v: u32,
  q_out: u32,
  q_norm: u32,
  k_norm: u32,
  q_eps: f32,
  k_eps: f32,
  rope: u32,
  group: u32,   // of layers: whose block tables
  blocks: u32,  // of the group's pool
}
#include "step.wgsl"
#if KV_HEADS > 0
@group(1) @binding(0) var<storage, read_write> keys: array<u32>;
@group(1) @binding(1) var<storage, read_write> values: array<u32>;
#include "kv_store.wgsl"
#endif
#include "head.wgsl"

#if KV_HEADS > 0
#if KV_TYPE == 2
fn round_run(run: u32, word: u32, most: f32) -> u32 {
  let inverse = select(0.0, 127.0 / most, most > 0.0);
  var packed = 0u;
  for (var i = 0u; i < 4u; i++) {
    let at = run * 32u + word * 4u + i;
    var x = 0.0;
    if (at < ${HEAD_DIM}u) { x = head[at]; }
    packed |= (u32(i32(round(x * inverse))) & 255u) << (8u * i);
  }
  return packed;
}
fn largest_of(run: u32) -> f32 {
  var most = 0.0;
  for (var i = run * 32u; i < min(run * 32u + 32u, ${HEAD_DIM}u); i++) { most = max(most, abs(head[i])); }
  return most;
}
#endif

fn store_head(lane: u32, row: u32, kv_head: u32, is_key: bool) {
  let position = step_position(row);
  let block = step_block(op.group, step_sequence(row), position >> 5u);
  for (var word = lane; word < ${HEAD_WORDS}u; word += 32u) {
#if KV_TYPE == 0
    let packed = bitcast<u32>(head[word]);
#elif KV_TYPE == 1
    let packed = pack2x16float(vec2<f32>(head[2u * word], head[2u * word + 1u]));
#else
    let most = largest_of(word / 8u);
    let packed = round_run(word / 8u, word % 8u, most);
    if (word % 8u == 0u) {
      let d = unpack2x16float(pack2x16float(vec2<f32>(most / 127.0, 0.0))).x;
      let at = scale_word(op.blocks, block, kv_head, position & 31u, word / 8u);
      if (is_key) { keys[at] = bitcast<u32>(d); } else { values[at] = bitcast<u32>(d); }
    }
#endif
    if (is_key) {
      keys[key_word(block, kv_head, position & 31u, word)] = packed;
    } else {
      values[value_word(block, kv_head, position & 31u, word)] = packed;
    }
  }
}
#endif

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  if (row >= step_rows()) { return; }
  let number = group.x;
  var source = op.q + (row * ${HEADS}u + number) * ${HEAD_DIM}u;
#if KV_HEADS > 0
  if (number >= ${HEADS + KV_HEADS}u) {
    source = op.v + (row * ${KV_HEADS}u + number - ${HEADS + KV_HEADS}u) * ${HEAD_DIM}u;
  } else if (number >= ${HEADS}u) {
    source = op.k + (row * ${KV_HEADS}u + number - ${HEADS}u) * ${HEAD_DIM}u;
  }
#endif
  for (var i = lane; i < ${HEAD_DIM}u; i += 32u) { head[i] = load(source + i); }
  workgroupBarrier();
  if (number < ${HEADS}u) {
#if Q_NORM
    norm_head(lane, op.q_norm, op.q_eps);
#endif
#if ROPE
    turn_head(lane, row, op.rope);
#endif
    let to = op.q_out + (row * ${HEADS}u + number) * ${HEAD_DIM}u;
    for (var i = lane; i < ${HEAD_DIM}u; i += 32u) { store(to + i, head[i]); }
  }
#if KV_HEADS > 0
  if (number >= ${HEADS}u && number < ${HEADS + KV_HEADS}u) {
#if K_NORM
    norm_head(lane, op.k_norm, op.k_eps);
#endif
#if K_ROPE
    turn_head(lane, row, op.rope);
#endif
    store_head(lane, row, number - ${HEADS}u, true);
  }
  if (number >= ${HEADS + KV_HEADS}u) { store_head(lane, row, number - ${HEADS + KV_HEADS}u, false); }
#endif
}
