//# Where a layer's keys and values lie (gpu/kv_layout.h), in words. A block of 32 positions holds, by kv head, the values as
//# [position][word], and the keys so, too, or as [word][position] (KEYS_BY_WORD).
//#   KV_TYPE: 0 f32 (1 value a word), 1 f16 (2), 2 q8_0 (4, and a scale for 32 values in a plane of its own)
const KEY_WORDS = ${HEAD_WORDS}u;  // of one head at one position
fn key_word(block: u32, kv_head: u32, position: u32, word: u32) -> u32 {
#if KEYS_BY_WORD
  return ((block * ${KV_HEADS}u + kv_head) * ${HEAD_WORDS}u + word) * 32u + position;
#else
  return value_word(block, kv_head, position, word);
#endif
}
fn value_word(block: u32, kv_head: u32, position: u32, word: u32) -> u32 {
  return ((block * ${KV_HEADS}u + kv_head) * 32u + position) * ${HEAD_WORDS}u + word;
}
#if KV_TYPE == 2
// Behind all quants of the part, f32 each, for both keys and values [position][run of 32].
fn scale_word(blocks: u32, block: u32, kv_head: u32, position: u32, run: u32) -> u32 {
  return blocks * ${KV_HEADS * HEAD_WORDS * 32}u + ((block * ${KV_HEADS}u + kv_head) * 32u + position) * ${HEAD_RUNS}u + run;
}
#endif
