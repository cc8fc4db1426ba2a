//# Keys and values as attention reads them: group 1, and one stored word as the ${VALUES} values that it holds. Op has
//# `blocks`, of the group's pool.
@group(1) @binding(0) var<storage, read> keys: array<u32>;
@group(1) @binding(1) var<storage, read> values: array<u32>;
#include "kv_store.wgsl"
#if KV_TYPE == 0
fn key_at(block: u32, kv_head: u32, position: u32, word: u32) -> f32 {
  return bitcast<f32>(keys[key_word(block, kv_head, position, word)]);
}
fn value_at(block: u32, kv_head: u32, position: u32, word: u32) -> f32 {
  return bitcast<f32>(values[value_word(block, kv_head, position, word)]);
}
#elif KV_TYPE == 1
fn key_at(block: u32, kv_head: u32, position: u32, word: u32) -> vec2<f32> {
  return unpack2x16float(keys[key_word(block, kv_head, position, word)]);
}
fn value_at(block: u32, kv_head: u32, position: u32, word: u32) -> vec2<f32> {
  return unpack2x16float(values[value_word(block, kv_head, position, word)]);
}
#else
#include "decode_common.wgsl"
fn key_at(block: u32, kv_head: u32, position: u32, word: u32) -> vec4<f32> {
  return bitcast<f32>(keys[scale_word(op.blocks, block, kv_head, position, word >> 3u)]) *
      quad(keys[key_word(block, kv_head, position, word)]);
}
fn value_at(block: u32, kv_head: u32, position: u32, word: u32) -> vec4<f32> {
  return bitcast<f32>(values[scale_word(op.blocks, block, kv_head, position, word >> 3u)]) *
      quad(values[value_word(block, kv_head, position, word)]);
}
#endif
