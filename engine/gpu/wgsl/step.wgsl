//# Group 0, the same for every kernel (gpu/shader/kernel.h), and what the step buffer holds (gpu/step_buffer.h).
@group(0) @binding(0) var<storage, read> step: array<u32>;
// All activations as f32 bits: words, so that rounded activations can lie here too.
@group(0) @binding(1) var<storage, read_write> arena: array<u32>;
@group(0) @binding(2) var<uniform> op: Op;

fn load(at: u32) -> f32 { return bitcast<f32>(arena[at]); }
fn store(at: u32, value: f32) { arena[at] = bitcast<u32>(value); }

fn step_rows() -> u32 { return step[0]; }
fn step_logit_rows() -> u32 { return step[1]; }
fn step_token(row: u32) -> i32 { return i32(step[step[3] + row]); }
fn step_position(row: u32) -> u32 { return step[step[4] + row]; }
fn step_sequence(row: u32) -> u32 { return step[step[5] + row]; }
fn step_logit_row(i: u32) -> u32 { return step[step[6] + i]; }
// The number of a sequence's block in a layer group; a block that no row may see is never asked for.
fn step_block(group: u32, sequence: u32, index: u32) -> u32 {
  return step[step[step[7] + group] + sequence * step[8] + index];
}
fn step_rope(rope: u32, at: u32) -> f32 { return bitcast<f32>(step[step[step[9] + rope] + at]); }
fn step_tiles() -> u32 { return step[10]; }
// First row and rows of a query tile.
fn step_tile(tile: u32) -> vec2<u32> {
  let at = step[11] + 2u * tile;
  return vec2<u32>(step[at], step[at + 1u]);
}
fn step_tile_splits() -> u32 { return step[15]; }
fn step_lone_rows() -> u32 { return step[13]; }
fn step_lone_row(i: u32) -> u32 { return step[step[14] + i]; }

fn silu(x: f32) -> f32 { return x / (1.0 + exp(-x)); }
fn gelu_tanh(x: f32) -> f32 {
  // tanh of what passes 10 is 1 in f32; some drivers give NaN there.
  let inner = clamp(0.7978845608028654 * x * (1.0 + 0.044715 * x * x), -10.0, 10.0);
  return 0.5 * x * (1.0 + tanh(inner));
}
