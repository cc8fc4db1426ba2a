//# The most likely token of a sample from the best of its parts: a workgroup has one sample.
#include "sample.wgsl"
#include "order.wgsl"
#include "best.wgsl"
@group(1) @binding(${SAMPLED}) var<storage, read_write> sampled: array<i32>;
@group(1) @binding(${RESULTS}) var<storage, read_write> results: array<i32>;

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var key = 0u;
  var token = 0xffffffffu;
  for (var part = lane; part < op.parts; part += ${LANES}u) {
    let at = op.partials + 2u * (group.x * op.parts + part);
    if (arena[at] > key) {
      key = arena[at];
      token = arena[at + 1u];
    }
  }
  join_best(lane, key, token);
  if (lane == 0u) {
    let chosen = select(-1, i32(best_token[0]), best_key[0] > 0u);
    sampled[sample_word(group.x, PLACE)] = chosen;
    results[group.x] = chosen;
  }
}
