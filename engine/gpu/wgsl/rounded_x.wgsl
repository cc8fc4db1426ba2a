//# Where x lies once it is rounded (round_rows.wgsl): 32 neighbouring rows side by side, so that lanes with neighbouring rows
//# read runs of memory. X_WORDS a row: 12 a block of 32 columns, or with HALVES the row's unit and then 16.
fn rounded_row(start: u32, row: u32) -> u32 { return start + (row >> 5u) * ${32 * X_WORDS}u + (row & 31u); }
// Of its first word; each next one is 32 words on.
fn rounded_block(start: u32, row: u32, kb: u32) -> u32 {
  return rounded_row(start, row) + ${32 * HALVES}u + kb * ${32 * (12 + 4 * HALVES)}u;
}
