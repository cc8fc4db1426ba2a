//# Logits by rank, in integers: compilers may assume that no float is NaN or infinite, and a model's may be.
// Larger for larger logits; zeros of both signs are equal, and 0 is what can never be chosen: NaN and -infinity.
fn order_key(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u || bits == 0xff800000u) { return 0u; }
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

var<workgroup> best_key: array<u32, ${LANES}>;
var<workgroup> best_token: array<u32, ${LANES}>;

// The best of all lanes, the lowest token on a tie, to lane 0.
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
