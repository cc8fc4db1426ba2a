//# The best logit of PART of them: a workgroup has one part (x) of one sample's row (y).
#include "sample.wgsl"
#include "order.wgsl"
#include "best.wgsl"

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = op.logits + sample_word(group.y, LOGIT_ROW) * op.vocabulary;
  let end = min((group.x + 1u) * ${PART}u, op.vocabulary);
  var key = 0u;
  var token = 0xffffffffu;
  for (var i = group.x * ${PART}u + lane; i < end; i += ${LANES}u) {
    let mine = order_key(arena[row + i]);
    if (mine > key) {
      key = mine;
      token = i;
    }
  }
  join_best(lane, key, token);
  if (lane == 0u) {
    let out = op.partials + 2u * (group.y * op.parts + group.x);
    arena[out] = best_key[0];
    arena[out + 1u] = best_token[0];
  }
}
