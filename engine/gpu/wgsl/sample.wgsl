// A word of a sample's parameters in the step buffer (gpu/kernels/sampling.h).
fn step_sample(sample: u32, word: u32) -> u32 { return step[step[12] + sample * ${SAMPLE_WORDS}u + word]; }
