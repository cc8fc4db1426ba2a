// A model's computation as a list of ops over values. Architecture files write plain ops; passes (passes.h) rewrite
// some of them into the fused `MatMulOp` fields; a plan (plan.h) gives every value a place; executors run the plan.
//
// Every value is f32 [rows, width], row-major. `rows` is the number of rows in the step (a row is one token of one
// sequence), or, below SelectRowsOp, only those rows that want logits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "graph/weight.h"

namespace wisp::graph {

enum class ValueId : std::int32_t {};
inline constexpr ValueId kNoValue{-1};

enum class RowSet : std::uint8_t { step, logits };

struct Value {
  std::string name;  // "blk.3.q", for traces and messages
  std::uint32_t width = 0;
  RowSet rows = RowSet::step;
};

enum class Activation : std::uint8_t { none, silu, gelu_tanh };

// Which elements of a head RoPE rotates together.
enum class RopePairing : std::uint8_t {
  adjacent,      // (0,1), (2,3), ...: llama
  split_halves,  // (0, n/2), (1, n/2+1), ...: NEOX
};

// One rotary embedding, with every scaling (linear, YaRN, Llama 3 factors, long/short factors) folded in:
// the pair i turns by position * inverse_frequency[i]; cos and sin are multiplied by `magnitude`.
struct RopeSpec {
  RopePairing pairing = RopePairing::adjacent;
  std::vector<double> inverse_frequency;  // [rotated dims / 2]; dims past 2 * size() are passed through
  float magnitude = 1.0f;
};

// y = x * rsqrt(mean(x^2) + eps) * weight, over each run of `group` elements (the whole row, or one head).
struct NormSpec {
  WeightId weight = kNoWeight;  // [group]
  float eps = 1e-5f;
  std::uint32_t group = 0;
};

// ---- plain ops ----

struct EmbedOp {  // out[r,:] = table[token[r],:]
  WeightId table;
  ValueId out;
};
struct ScaleOp {  // out = in * factor
  ValueId in, out;
  float factor;
};
struct NormOp {
  ValueId in, out;
  NormSpec norm;
};
struct AddBiasOp {  // out[r,:] = in[r,:] + bias
  ValueId in, out;
  WeightId bias;
};
struct AddOp {
  ValueId a, b, out;
};
struct MulOp {
  ValueId a, b, out;
};
struct ActivationOp {
  ValueId in, out;
  Activation function;
};
struct RopeOp {  // each of width / head_dim heads
  ValueId in, out;
  std::uint32_t head_dim;
  int rope;  // index into Graph::ropes
};
struct KvWriteOp {  // stores k and v [rows, kv_heads * head_dim] of this layer at each row's position
  ValueId k, v;
  int layer;
};
// Causal attention of each row over its sequence's stored K and V of `layer`, flash style (docs/architecture.md:
// online softmax over absolute blocks of kKvBlock positions), with the layer's window and sinks from Graph::kv.
struct AttentionOp {
  ValueId q, out;  // [rows, heads * head_dim]
  int layer;
  std::uint32_t heads;
  float scale = 1.0f;    // multiplies q as it is read; 1 until the attention-scale pass folds a ScaleOp in
  float softcap = 0.0f;  // scores become softcap * tanh(score / softcap); 0 = none
  int rope = -1;         // for sinks: the rotation that brings q to its distance inside the window; -1 = no RoPE
};
struct SoftcapOp {  // out = cap * tanh(in / cap)
  ValueId in, out;
  float cap;
};
struct SelectRowsOp {  // keeps the rows that want logits: step rows in, logits rows out
  ValueId in, out;
};

// ---- the matmul, plain or fused ----

// One weight matrix and what follows it, in this order: bias, head norm, RoPE.
struct Projection {
  WeightId weight = kNoWeight;
  ValueId out = kNoValue;  // kNoValue when combined or written to the KV store
  WeightId bias = kNoWeight;
  std::optional<NormSpec> head_norm;
  int rope = -1;
  std::uint32_t head_dim = 0;  // where head_norm or rope is set
};

// What becomes of the projections.
enum class Combine : std::uint8_t {
  separate,  // each has its own `out`
  gated,     // out = activation(projection 0) * projection 1
  qkv,       // projection 0 is q and has an `out`; 1 and 2 are k and v and go to the KV store of `kv_layer`
};

// Plain: one projection, nothing else set. Fused forms have exactly the arithmetic of the plain ops they replace, in
// the same order, so fusing changes no bit.
struct MatMulOp {
  ValueId in;
  std::optional<NormSpec> norm;  // applied to `in` first (whole rows)
  std::vector<Projection> projections;
  Combine combine = Combine::separate;
  Activation activation = Activation::none;  // of the only projection (after its bias), or of the gate
  ValueId residual = kNoValue;               // added last; for a single projection
  ValueId out = kNoValue;                    // where combine == gated
  int kv_layer = -1;
};

using Op = std::variant<EmbedOp, ScaleOp, NormOp, AddBiasOp, AddOp, MulOp, ActivationOp, RopeOp, KvWriteOp, AttentionOp,
                        SoftcapOp, SelectRowsOp, MatMulOp>;

// ---- what the KV store must hold ----

inline constexpr std::uint32_t kKvBlock = 32;  // positions in a block

enum class KvType : std::uint8_t { f32, f16, q8_0 };

// Layers that remember alike share block tables.
struct KvGroup {
  std::optional<std::uint32_t> window;  // a key is masked when p_query - p_key >= window, unless p_key < sinks
  std::uint32_t sinks = 0;
};
struct KvLayer {
  int group = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;  // of K and V
};
struct KvLayout {
  std::vector<KvGroup> groups;
  std::vector<KvLayer> layers;
};

// What a step gives for each row that wants it.
enum class Output : std::uint8_t {
  logits,  // of the token after it
  hidden,  // the state behind the final norm, which the output matrix would read: what embeddings are made of
};

struct Graph {
  std::vector<Op> ops;
  std::vector<int> op_layer;  // per op: the block it belongs to, or -1; for counters and traces
  std::vector<Value> values;  // indexed by ValueId
  WeightTable weights;
  std::vector<RopeSpec> ropes;
  KvLayout kv;
  ValueId logits = kNoValue;  // [logits rows, vocabulary], or, as `output` says, [logits rows, d_model]
  ValueId hidden = kNoValue;  // [logits rows, d_model], until passes have been over it
  Output output = Output::logits;
  std::uint32_t vocabulary = 0;
};

// Elements of a row of the output.
inline std::uint32_t output_width(const Graph& graph) {
  return graph.logits == kNoValue ? 0 : graph.values[static_cast<std::size_t>(graph.logits)].width;
}

// "matmul", "attention", "norm+matmul(qkv)", ...: for traces, counters and `wisp doctor`.
std::string op_name(const Op& op);
// The values an op reads and writes.
std::vector<ValueId> op_inputs(const Op& op);
std::vector<ValueId> op_outputs(const Op& op);

}  // namespace wisp::graph
