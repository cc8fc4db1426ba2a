//# What a sample wants, in the step buffer (SampleWord of gpu/kernels/sampling.h), and the constants of all its kernels.
struct Op {
  logits: u32,
  partials: u32,
  vocabulary: u32,
  parts: u32,
}
#include "step.wgsl"
fn sample_word(sample: u32, word: u32) -> u32 { return step[step[12] + sample * ${SAMPLE_WORDS}u + word]; }
fn sample_float(sample: u32, word: u32) -> f32 { return bitcast<f32>(sample_word(sample, word)); }
const LOGIT_ROW = 0u;
const PLACE = 1u;
const DRAW = 2u;  // 0: none, 1: of the top, 2: of all
const TOP_K = 3u;
const TEMPERATURE = 4u;
const TOP_P = 5u;
const LEAST = 6u;
const UNIFORM = 7u;
const ENTRIES = 8u;
const N_ENTRIES = 9u;
const UNREAD = 10u;
const UNREAD_SLOT = 11u;
const UNREAD_NEWEST = 12u;
const REPEAT_PENALTY = 13u;
const FREQUENCY_PENALTY = 14u;
const PRESENCE_PENALTY = 15u;
const MASK = 16u;
