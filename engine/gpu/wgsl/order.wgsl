//# Logits by rank, in integers: compilers may assume that no float is NaN or infinite, and a model's may be.
// Larger for larger logits; zeros of both signs are equal, and 0 is what can never be chosen: NaN and -infinity.
fn order_key(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u || bits == 0xff800000u) { return 0u; }
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// The logit of a key that is not 0; infinity as the largest float.
fn logit_of(key: u32) -> f32 {
  let bits = select(~key, key & 0x7fffffffu, (key >> 31u) == 1u);
  return bitcast<f32>(select(bits, 0x7f7fffffu, bits == 0x7f800000u));
}
