// What architecture files are written in: one call for each step of the model's description. The builder finds the
// tensors by name, checks their shapes and types against what the step needs, registers them as weights, and appends
// plain ops.
//
// The first thing that goes wrong is kept and reported by finish(); until then every call still returns ids that are
// safe to pass on, so that architecture files need no error handling.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"
#include "graph/graph.h"
#include "model/model.h"
#include "model/rope.h"

namespace wisp::model {

// How one layer attends.
struct AttentionOptions {
  int rope = -1;             // index from GraphBuilder::rope(); -1 = none
  float scale = 1.0f;        // of the queries, after RoPE
  float softcap = 0.0f;      // of the scores; 0 = none
  std::uint32_t window = 0;  // the layer's own sliding window; 0 = sees everything
  bool head_norms = false;   // attn_q_norm and attn_k_norm, before RoPE
};

class GraphBuilder {
 public:
  // All must outlive the builder. `context`: positions, decided.
  GraphBuilder(const gguf::File& file, const Hyperparameters& hyper, const ContextOptions& options,
               std::uint32_t context);

  [[nodiscard]] const Hyperparameters& hyper() const { return hyper_; }
  // "<arch>.<key>" of the metadata, as a number in [least, most]; 0 after an error.
  float number_or(std::string_view key, float least, float most, float otherwise);
  std::uint32_t count_or(std::string_view key, std::uint32_t least, std::uint32_t most, std::uint32_t otherwise);
  // Per layer whether it slides: attention.sliding_window_pattern, a number n (layers with il % n < n - 1 slide) or an
  // array of bools, or the default n.
  std::vector<bool> sliding_layers(std::uint32_t default_pattern);
  // attention.scale, or 1 / sqrt(divisor), the head size where 0.
  float attention_scale(std::uint32_t divisor = 0);

  // The model's RoPE with the scaling that the metadata and the file's factor tensors describe.
  int rope(graph::RopePairing pairing);
  // The same without any scaling, at another base.
  int plain_rope(graph::RopePairing pairing, float base);

  // for (std::uint32_t layer = 0; b.begin_layer(layer); ++layer): until the last layer or the first error. Tensor names
  // given to the calls below are those of this layer, without "blk.N." and ".weight".
  bool begin_layer(std::uint32_t layer);

  graph::ValueId embed();
  graph::ValueId scale(graph::ValueId in, float factor, std::string_view name);
  graph::ValueId norm(graph::ValueId in, std::string_view tensor);
  graph::ValueId add(graph::ValueId a, graph::ValueId b, std::string_view name);
  // in W^T, plus "<tensor>.bias" where the file has it.
  graph::ValueId linear(graph::ValueId in, std::string_view tensor, std::uint32_t outputs);
  // attn_q, attn_k, attn_v (or rows of attn_qkv), the KV store, attention and attn_output.
  graph::ValueId attention(graph::ValueId in, const AttentionOptions& options);
  // ffn_down(activation(ffn_gate) * ffn_up)
  graph::ValueId gated_feed_forward(graph::ValueId in, graph::Activation activation);
  // Rows that want logits, output_norm, the output matrix (the embedding where the file has none), and a cap (0 =
  // none).
  void output(graph::ValueId in, float softcap = 0.0f);

  Result<graph::Graph> finish();

 private:
  // A tensor or a run of its rows.
  struct Slice {
    std::string tensor;  // full name
    std::uint64_t first_row = 0;
    std::uint64_t all_rows = 0;  // rows that the tensor must have
  };
  template <class T>
  T keep(Result<T> result);
  void record(Error error);
  [[nodiscard]] std::string layer_name(std::string_view name) const;
  graph::ValueId new_value(std::string name, std::uint32_t width);
  void emit(graph::Op op);
  [[nodiscard]] std::uint32_t width(graph::ValueId value) const;
  graph::WeightId weight(const Slice& slice, std::uint32_t rows, std::uint32_t columns, bool graph::WeightUse::* use);
  graph::WeightId vector(const std::string& tensor, std::uint32_t columns);
  graph::ValueId project(graph::ValueId in, std::string_view name, const Slice& slice, std::uint32_t outputs);
  graph::ValueId head_norm(graph::ValueId in, std::string_view tensor);
  graph::ValueId apply_rope(graph::ValueId in, int rope);
  int kv_group(std::uint32_t own_window);

  const gguf::File& file_;
  const Hyperparameters& hyper_;
  const ContextOptions& options_;
  std::uint32_t context_;
  Keys keys_;
  int layer_ = -1;
  graph::RowSet rows_ = graph::RowSet::step;
  graph::Graph graph_;
  std::unordered_map<std::string, graph::WeightId> weight_ids_;  // by tensor name and first row
  std::optional<Error> error_;
};

}  // namespace wisp::model
