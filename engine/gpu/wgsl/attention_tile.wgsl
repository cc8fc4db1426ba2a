//# Flash attention of a query tile: up to 16 rows of one sequence at consecutive positions, with up to TOGETHER query heads that
//# share a kv head. A workgroup walks over the blocks of 32 positions that any of its rows sees; keys and values come into
//# workgroup memory once for all of them, so that a row reads
//#   positions * KV_HEADS * 2 * HEAD_DIM * (4 bytes in f32, 2 in f16, 1.125 in q8_0) * HEAD_GROUPS / rows of the tile
//# bytes of keys and values: a sixteenth of what attention.wgsl reads where up to 4 query heads share a kv head. Queries are read
//# again for each block (LINES * HEAD_DIM * 4 bytes, from the caches): with them there would be no room for keys.
//#
//# A step with few tiles has them in splits, so that a long text keeps more than a handful of workgroups busy: each takes its
//# share of the blocks and leaves what a split of attention.wgsl leaves, for attention_join.wgsl.
//#
//# A line is one query head of one row; number 16 * head + row. A thread has a group of four lines (a vec4) and one of 16 lanes:
//# two positions of a block's scores, and every 16th value of the result.
struct Op {
#include "attention_input.wgsl"
  out: u32,
  partials: u32,   // [tile][16 rows][head][split][HEAD_DIM + 2], where the step has more than one split
}
#include "step.wgsl"
#include "kv_read.wgsl"

const GROUPS = ${LINES / 4}u;
const THREADS = ${LINES * 4}u;
const KEYS = ${LINES * 4}u;  // where keys start in `stage`
const HIDDEN = -3.4e38;      // a score that counts for nothing

// By turns: 16 columns of queries [group][column] and of keys [column][8 quads of positions]; each lane's largest scores
// [group][lane]; VALUE_ROWS positions of values [position][quad of columns]. Written by whole vectors only: a store to one
// component may write the others too.
var<workgroup> stage: array<vec4<f32>, ${STAGE}>;
var<workgroup> weights: array<vec4<f32>, ${LINES * 8}>;  // [group][position of the block]

#include "attention_query.wgsl"

#if SOFTCAP
fn capped(score: vec4<f32>) -> vec4<f32> {
  return op.softcap * tanh(clamp(score / op.softcap, vec4<f32>(-10.0), vec4<f32>(10.0)));
}
#endif

@compute @workgroup_size(${LINES * 4})
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  if (id.y >= step_tiles()) { return; }
  let tile = step_tile(id.y);
  let sequence = step_sequence(tile.x);
  let start = step_position(tile.x);
  let last = start + tile.y - 1u;
  let kv_head = id.x / ${HEAD_GROUPS}u;
  let lane = thread % 16u;
  let group = thread / 16u;
  let quarter = lane >> 2u;
  let component = lane & 3u;
  // Lines past the last row or head go along with what lies there and are not stored.
  let head_in = id.x % ${HEAD_GROUPS}u * ${TOGETHER}u + group / 4u;
  let head = kv_head * ${QUERIES}u + min(head_in, ${QUERIES - 1}u);
  let first_in = group % 4u * 4u;  // the group's first row, of the tile

  // Visible are [begin, end) and [0, min(sinks, begin)).
  let positions = vec4<u32>(start + first_in) + vec4<u32>(0u, 1u, 2u, 3u);
  let ends = min(positions, vec4<u32>(last)) + vec4<u32>(1u);
  var begins = vec4<u32>(0u);
  var first_block = 0u;
  var sinks_end = 0u;  // of the last row, which sees most of them
  if (op.window != 0u) {
    begins = select(begins, positions - vec4<u32>(op.window - 1u), positions >= vec4<u32>(op.window));
    if (start >= op.window) { first_block = (start - op.window + 1u) >> 5u; }
    if (last >= op.window) { sinks_end = min(op.sinks, last - op.window + 1u); }
  }
#if SINKS
  let sink_blocks = (sinks_end + 31u) >> 5u;
#else
  let sink_blocks = 0u;
#endif
  let turns = sink_blocks + (last >> 5u) - first_block + 1u;

  var most = vec4<f32>(HIDDEN);
  var whole = vec4<f32>(0.0);  // this lane's share
#for j in 0..STEPS
  var sum_${j} = vec4<f32>(0.0);
#end
  let splits = step_tile_splits();
  let share = (turns + splits - 1u) / splits;
  for (var turn = id.z * share; turn < min(id.z * share + share, turns); turn++) {
    let in_sinks = turn < sink_blocks;
    let number = select(first_block + turn - sink_blocks, turn, in_sinks);
    let block = step_block(op.group, sequence, number);
    let base = number * 32u;
    let used = min(select(last + 1u, sinks_end, in_sinks) - base, 32u);

    // Scores of positions `lane` and `lane + 16` of the block.
    var score_a = vec4<f32>(0.0);
    var score_b = vec4<f32>(0.0);
    for (var first = 0u; first < ${HEAD_DIM}u; first += 16u) {
      workgroupBarrier();
      var quad_of_lines = vec4<f32>(0.0);
      if (first + lane < ${HEAD_DIM}u) {
#for c in 0..4
        quad_of_lines[${c}] = query(tile.x + min(first_in + ${c}u, tile.y - 1u), head, first + lane, in_sinks);
#end
      }
      stage[thread] = quad_of_lines;
      for (var item = thread; item < ${128 / VALUES}u; item += THREADS) {
        let word = first / ${VALUES}u + item / 8u;
        let at = item % 8u * 4u;
        let to = KEYS + item / 8u * ${VALUES * 8}u + item % 8u;
        if (word < ${HEAD_WORDS}u) {
#for c in 0..4
          let key_${c} = key_at(block, kv_head, at + ${c}u, word);
#end
#if VALUES == 1
          stage[to] = vec4<f32>(key_0, key_1, key_2, key_3);
#else
#for i in 0..VALUES
          stage[to + ${i * 8}u] = vec4<f32>(key_0[${i}], key_1[${i}], key_2[${i}], key_3[${i}]);
#end
#endif
        } else {
#for i in 0..VALUES
          stage[to + ${i * 8}u] = vec4<f32>(0.0);
#end
        }
      }
      workgroupBarrier();
      for (var column = 0u; column < 16u; column++) {
        let q = stage[group * 16u + column];
        let at = KEYS + column * 8u + quarter;
        score_a = fma(q, vec4<f32>(stage[at][component]), score_a);
        score_b = fma(q, vec4<f32>(stage[at + 4u][component]), score_b);
      }
    }
#if SOFTCAP
    score_a = capped(score_a);
    score_b = capped(score_b);
#endif
    let low = select(begins, vec4<u32>(0u), in_sinks);
    let high = select(ends, min(vec4<u32>(op.sinks), begins), in_sinks);
    let at_a = vec4<u32>(base + lane);
    let at_b = at_a + vec4<u32>(16u);
    score_a = select(vec4<f32>(HIDDEN), score_a, (at_a >= low) & (at_a < high));
    score_b = select(vec4<f32>(HIDDEN), score_b, (at_b >= low) & (at_b < high));

    // The softmax so far: all lanes of a group come to the same largest score.
    workgroupBarrier();
    stage[thread] = max(score_a, score_b);
    workgroupBarrier();
    var larger = most;
    for (var i = 0u; i < 16u; i++) { larger = max(larger, stage[group * 16u + i]); }
    let hidden = vec4<f32>(-3.3e38);
    let weight_a = select(exp(score_a - larger), vec4<f32>(0.0), score_a < hidden);
    let weight_b = select(exp(score_b - larger), vec4<f32>(0.0), score_b < hidden);
    weights[group * 32u + lane] = weight_a;
    weights[group * 32u + lane + 16u] = weight_b;
    let shrink = exp(most - larger);
    most = larger;
    whole = fma(whole, shrink, weight_a + weight_b);
#for j in 0..STEPS
    sum_${j} *= shrink;
#end

    for (var first = 0u; first < used; first += ${VALUE_ROWS}u) {
      workgroupBarrier();
      for (var item = thread; item < ${VALUE_ROWS * STEPS * 4}u; item += THREADS) {
        let at = first + item / ${STEPS * 4}u;
        let word = item % ${STEPS * 4}u * ${4 / VALUES}u;
        // What no row sees may never have been written.
        var quad_of_values = vec4<f32>(0.0);
        if (at < used && word < ${HEAD_WORDS}u) {
#if VALUES == 4
          quad_of_values = value_at(block, kv_head, at, word);
#elif VALUES == 2
          quad_of_values = vec4<f32>(value_at(block, kv_head, at, word), value_at(block, kv_head, at, word + 1u));
#else
          quad_of_values = vec4<f32>(value_at(block, kv_head, at, word), value_at(block, kv_head, at, word + 1u),
                                     value_at(block, kv_head, at, word + 2u), value_at(block, kv_head, at, word + 3u));
#endif
        }
        stage[item] = quad_of_values;
      }
      workgroupBarrier();
      for (var i = 0u; i < ${VALUE_ROWS}u; i++) {
        let weight = weights[group * 32u + first + i];
        let at = i * ${STEPS * 4}u + quarter;
#for j in 0..STEPS
        sum_${j} = fma(weight, vec4<f32>(stage[at + ${j * 4}u][component]), sum_${j});
#end
      }
    }
  }

  workgroupBarrier();
  stage[thread] = whole;
  workgroupBarrier();
  var total = vec4<f32>(0.0);
  for (var i = 0u; i < 16u; i++) { total += stage[group * 16u + i]; }
  if (head_in < ${QUERIES}u) {
#for c in 0..4
    if (first_in + ${c}u < tile.y) {
      var to = op.out + ((tile.x + first_in + ${c}u) * ${KV_HEADS * QUERIES}u + head) * ${HEAD_DIM}u + lane;
      var divisor = total[${c}];
      if (splits > 1u) {
        let row = id.y * 16u + first_in + ${c}u;
        let partial = op.partials + ((row * ${KV_HEADS * QUERIES}u + head) * splits + id.z) * ${HEAD_DIM + 2}u;
        if (lane == 0u) {
          store(partial, most[${c}]);
          store(partial + 1u, divisor);
        }
        to = partial + 2u + lane;
        divisor = 1.0;
      }
#for j in 0..STEPS
#if 16 * j + 16 <= HEAD_DIM
      store(to + ${16 * j}u, sum_${j}[${c}] / divisor);
#else
      if (lane < ${HEAD_DIM - 16 * j}u) { store(to + ${16 * j}u, sum_${j}[${c}] / divisor); }
#endif
#end
    }
#end
  }
}
