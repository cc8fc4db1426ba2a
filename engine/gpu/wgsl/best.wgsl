//# The best of a workgroup.
var<workgroup> best_key: array<u32, ${LANES}>;
var<workgroup> best_token: array<u32, ${LANES}>;

// The largest key of all lanes, the lowest token on a tie, to lane 0.
fn join_best(lane: u32, key: u32, token: u32) {
  best_key[lane] = key;
  best_token[lane] = token;
  workgroupBarrier();
  for (var distance = ${LANES / 2}u; distance > 0u; distance >>= 1u) {
    if (lane < distance) {
      let other = lane + distance;
      if (best_key[other] > best_key[lane] || (best_key[other] == best_key[lane] && best_token[other] < best_token[lane])) {
        best_key[lane] = best_key[other];
        best_token[lane] = best_token[other];
      }
    }
    workgroupBarrier();
  }
}
