//# -infinity for every token whose bit is not set: a workgroup has one part (x) of one sample's row (y).
#include "sample.wgsl"

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let mask = sample_word(group.y, MASK);
  if (mask == 0u) { return; }
  let row = op.logits + sample_word(group.y, LOGIT_ROW) * op.vocabulary;
  let end = min((group.x + 1u) * ${PART}u, op.vocabulary);
  for (var i = group.x * ${PART}u + lane; i < end; i += ${LANES}u) {
    if (((step[mask + (i >> 5u)] >> (i & 31u)) & 1u) == 0u) { arena[row + i] = 0xff800000u; }
  }
}
