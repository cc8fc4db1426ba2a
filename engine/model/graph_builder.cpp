#include "model/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "quant/block_format.h"

namespace wisp::model {

using graph::ValueId;
using graph::WeightId;

namespace {

std::string shape(std::uint64_t columns, std::uint64_t rows) {
  return rows == 1 ? fmt::format("[{}]", columns) : fmt::format("[{}, {}]", columns, rows);
}

std::string shape(const gguf::TensorInfo& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.n_dims; ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", tensor.dims[static_cast<std::size_t>(i)]);
  }
  return text + "]";
}

}  // namespace

GraphBuilder::GraphBuilder(const gguf::File& file, const Hyperparameters& hyper, const ContextOptions& options,
                           std::uint32_t context)
    : file_(file), hyper_(hyper), options_(options), context_(context), keys_(file.metadata, hyper.architecture) {
  graph_.vocabulary = hyper.vocabulary;
}

void GraphBuilder::record(Error error) {
  if (!error_) error_ = std::move(error);
}

template <class T>
T GraphBuilder::keep(Result<T> result) {
  if (result) return std::move(*result);
  record(std::move(result).error());
  return T{};
}

float GraphBuilder::number_or(std::string_view key, float least, float most, float otherwise) {
  return keep(keys_.number_or(key, least, most, otherwise));
}

std::uint32_t GraphBuilder::count_or(std::string_view key, std::uint32_t least, std::uint32_t most,
                                     std::uint32_t otherwise) {
  return keep(keys_.count_or(key, least, most, otherwise));
}

std::vector<bool> GraphBuilder::sliding_layers(std::uint32_t default_pattern) {
  constexpr std::string_view key = "attention.sliding_window_pattern";
  std::vector<bool> slides(hyper_.layers, false);
  const gguf::Value* entry = keys_.metadata().find(keys_.name(key));
  if (entry != nullptr && entry->type == gguf::ValueType::array) {
    const gguf::Array* array = keep(keys_.metadata().array(keys_.name(key)));
    if (array == nullptr) return slides;
    if (array->integers.size() < slides.size()) {
      record({Code::invalid_file,
              fmt::format("{} has {} entries for {} layers", keys_.name(key), array->integers.size(), slides.size())});
      return slides;
    }
    for (std::size_t i = 0; i < slides.size(); ++i) slides[i] = array->integers[i] != 0;
    return slides;
  }
  const std::uint32_t n = count_or(key, 0, std::numeric_limits<std::uint32_t>::max(), default_pattern);
  for (std::size_t i = 0; i < slides.size(); ++i) slides[i] = n == 0 || i % n < n - 1;
  return slides;
}

float GraphBuilder::attention_scale(std::uint32_t divisor) {
  const auto d = static_cast<float>(divisor != 0 ? divisor : hyper_.head_dim);
  return number_or("attention.scale", 1e-9f, 1e9f, 1.0f / std::sqrt(d));
}

int GraphBuilder::rope(graph::RopePairing pairing) {
  const RopeSettings settings = keep(read_rope_settings(keys_, hyper_));
  const std::vector<float> divisors =
      error_ ? std::vector<float>{} : keep(read_rope_divisors(file_, settings, context_));
  graph_.ropes.push_back(make_rope(settings, pairing, divisors));
  return static_cast<int>(graph_.ropes.size()) - 1;
}

int GraphBuilder::plain_rope(graph::RopePairing pairing, float base) {
  RopeSettings settings;
  settings.dimensions = keep(read_rope_settings(keys_, hyper_)).dimensions;
  settings.base = base;
  graph_.ropes.push_back(make_rope(settings, pairing, {}));
  return static_cast<int>(graph_.ropes.size()) - 1;
}

bool GraphBuilder::begin_layer(std::uint32_t layer) {
  const bool more = layer < hyper_.layers && !error_;
  layer_ = more ? static_cast<int>(layer) : -1;
  return more;
}

// ---- values, ops, weights ----

std::string GraphBuilder::layer_name(std::string_view name) const {
  return layer_ < 0 ? std::string(name) : fmt::format("blk.{}.{}", layer_, name);
}

std::uint32_t GraphBuilder::width(ValueId value) const { return graph_.values[static_cast<std::size_t>(value)].width; }

ValueId GraphBuilder::new_value(std::string name, std::uint32_t width) {
  graph_.values.push_back({std::move(name), width, rows_});
  return ValueId{static_cast<std::int32_t>(graph_.values.size()) - 1};
}

void GraphBuilder::emit(graph::Op op) {
  graph_.ops.push_back(std::move(op));
  graph_.op_layer.push_back(layer_);
}

WeightId GraphBuilder::weight(const Slice& slice, std::uint32_t rows, std::uint32_t columns,
                              bool graph::WeightUse::* use) {
  const gguf::TensorInfo* tensor = file_.find(slice.tensor);
  if (tensor == nullptr) {
    record({Code::invalid_file, fmt::format("tensor '{}' is missing", slice.tensor)});
    return graph::kNoWeight;
  }
  if (tensor->dims[0] != columns || tensor->rows() != slice.all_rows || tensor->dims[1] != slice.all_rows) {
    record({Code::invalid_file, fmt::format("tensor '{}' has shape {}; expected {}", slice.tensor, shape(*tensor),
                                            shape(columns, slice.all_rows))});
    return graph::kNoWeight;
  }
  if (auto format = quant::block_format(tensor->type); !format) {
    record({format.error().code, fmt::format("tensor '{}': {}", slice.tensor, format.error().message)});
    return graph::kNoWeight;
  }
  const std::uint64_t first_element = slice.first_row * columns;
  const auto next = WeightId{static_cast<std::int32_t>(graph_.weights.size())};
  const auto [found, is_new] = weight_ids_.try_emplace(fmt::format("{}@{}", slice.tensor, first_element), next);
  if (is_new) {
    graph_.weights.push_back({.name = slice.tensor,
                              .type = tensor->type,
                              .columns = columns,
                              .rows = rows,
                              .tensor = static_cast<std::size_t>(tensor - file_.tensors.data()),
                              .first_element = first_element,
                              .use = {}});
  }
  graph_.weights[static_cast<std::size_t>(found->second)].use.*use = true;
  return found->second;
}

WeightId GraphBuilder::vector(const std::string& tensor, std::uint32_t columns) {
  return weight({tensor, 0, 1}, 1, columns, &graph::WeightUse::vector);
}

// ---- the vocabulary of architecture files ----

ValueId GraphBuilder::embed() {
  const WeightId table =
      weight({"token_embd.weight", 0, hyper_.vocabulary}, hyper_.vocabulary, hyper_.d_model, &graph::WeightUse::table);
  const ValueId out = new_value("embedding", hyper_.d_model);
  emit(graph::EmbedOp{table, out});
  return out;
}

ValueId GraphBuilder::scale(ValueId in, float factor, std::string_view name) {
  const ValueId out = new_value(layer_name(name), width(in));
  emit(graph::ScaleOp{in, out, factor});
  return out;
}

ValueId GraphBuilder::norm(ValueId in, std::string_view tensor) {
  const WeightId weight_id = vector(layer_name(tensor) + ".weight", width(in));
  const ValueId out = new_value(layer_name(tensor), width(in));
  emit(graph::NormOp{in, out, {weight_id, hyper_.norm_eps, width(in)}});
  return out;
}

ValueId GraphBuilder::head_norm(ValueId in, std::string_view tensor) {
  const WeightId weight_id = vector(layer_name(tensor) + ".weight", hyper_.head_dim);
  const ValueId out = new_value(layer_name(tensor), width(in));
  emit(graph::NormOp{in, out, {weight_id, hyper_.norm_eps, hyper_.head_dim}});
  return out;
}

ValueId GraphBuilder::apply_rope(ValueId in, int rope) {
  if (rope < 0) return in;
  const ValueId out = new_value(graph_.values[static_cast<std::size_t>(in)].name + ".rope", width(in));
  emit(graph::RopeOp{in, out, hyper_.head_dim, rope});
  return out;
}

ValueId GraphBuilder::add(ValueId a, ValueId b, std::string_view name) {
  const ValueId out = new_value(layer_name(name), width(a));
  emit(graph::AddOp{a, b, out});
  return out;
}

ValueId GraphBuilder::project(ValueId in, std::string_view name, const Slice& slice, std::uint32_t outputs) {
  graph::MatMulOp op{};
  op.in = in;
  graph::Projection projection;
  projection.weight = weight(slice, outputs, width(in), &graph::WeightUse::matrix);
  projection.out = new_value(layer_name(name), outputs);
  op.projections = {projection};
  const ValueId product = projection.out;
  emit(std::move(op));

  std::string bias_tensor = slice.tensor;
  constexpr std::string_view suffix = ".weight";
  if (!bias_tensor.ends_with(suffix)) return product;
  bias_tensor.replace(bias_tensor.size() - suffix.size(), suffix.size(), ".bias");
  if (file_.find(bias_tensor) == nullptr) return product;
  if (slice.all_rows != outputs) {
    record({Code::unsupported, fmt::format("tensor '{}': a bias of a fused projection is not supported; split the "
                                           "tensor into q, k and v",
                                           bias_tensor)});
    return product;
  }
  const ValueId out = new_value(layer_name(name) + ".bias", outputs);
  emit(graph::AddBiasOp{product, out, vector(bias_tensor, outputs)});
  return out;
}

ValueId GraphBuilder::linear(ValueId in, std::string_view tensor, std::uint32_t outputs) {
  return project(in, tensor, {layer_name(tensor) + ".weight", 0, outputs}, outputs);
}

ValueId GraphBuilder::attention(ValueId in, const AttentionOptions& options) {
  const std::uint32_t q_width = hyper_.heads * hyper_.head_dim;
  const std::uint32_t kv_width = hyper_.kv_heads * hyper_.head_dim;
  const std::string fused = layer_name("attn_qkv.weight");
  ValueId q, k, v;
  if (file_.find(fused) == nullptr) {
    q = linear(in, "attn_q", q_width);
    k = linear(in, "attn_k", kv_width);
    v = linear(in, "attn_v", kv_width);
  } else {
    const std::uint64_t all = std::uint64_t{q_width} + 2 * std::uint64_t{kv_width};
    q = project(in, "attn_q", {fused, 0, all}, q_width);
    k = project(in, "attn_k", {fused, q_width, all}, kv_width);
    v = project(in, "attn_v", {fused, std::uint64_t{q_width} + kv_width, all}, kv_width);
  }
  if (options.head_norms) {
    q = head_norm(q, "attn_q_norm");
    k = head_norm(k, "attn_k_norm");
  }
  q = apply_rope(q, options.rope);
  k = apply_rope(k, options.rope);
  if (options.scale != 1.0f) q = scale(q, options.scale, "attn_q.scaled");

  const int kv_layer = static_cast<int>(graph_.kv.layers.size());
  graph_.kv.layers.push_back({kv_group(options.window), hyper_.kv_heads, hyper_.head_dim});
  emit(graph::KvWriteOp{k, v, kv_layer});
  const ValueId mixed = new_value(layer_name("attn"), q_width);
  emit(graph::AttentionOp{.q = q,
                          .out = mixed,
                          .layer = kv_layer,
                          .heads = hyper_.heads,
                          .scale = 1.0f,
                          .softcap = options.softcap,
                          .rope = options.rope});
  return linear(mixed, "attn_output", hyper_.d_model);
}

int GraphBuilder::kv_group(std::uint32_t own_window) {
  graph::KvGroup wanted;
  if (own_window != 0) wanted.window = own_window;
  if (options_.window && (own_window == 0 || *options_.window < own_window)) {
    wanted.window = options_.window;
    wanted.sinks = options_.sinks;
  }
  std::vector<graph::KvGroup>& groups = graph_.kv.groups;
  const auto found = std::ranges::find_if(
      groups, [&](const graph::KvGroup& g) { return g.window == wanted.window && g.sinks == wanted.sinks; });
  if (found != groups.end()) return static_cast<int>(found - groups.begin());
  groups.push_back(wanted);
  return static_cast<int>(groups.size()) - 1;
}

ValueId GraphBuilder::gated_feed_forward(ValueId in, graph::Activation activation) {
  const ValueId gate = linear(in, "ffn_gate", hyper_.feed_forward);
  const ValueId up = linear(in, "ffn_up", hyper_.feed_forward);
  const ValueId activated = new_value(layer_name("ffn_gate.activated"), hyper_.feed_forward);
  emit(graph::ActivationOp{gate, activated, activation});
  const ValueId product = new_value(layer_name("ffn_product"), hyper_.feed_forward);
  emit(graph::MulOp{activated, up, product});
  return linear(product, "ffn_down", hyper_.d_model);
}

void GraphBuilder::output(ValueId in, float softcap) {
  layer_ = -1;
  rows_ = graph::RowSet::logits;
  const ValueId selected = new_value("selected", width(in));
  emit(graph::SelectRowsOp{in, selected});
  const ValueId normed = norm(selected, "output_norm");
  graph_.hidden = normed;
  const bool tied = file_.find("output.weight") == nullptr;
  const Slice slice{tied ? "token_embd.weight" : "output.weight", 0, hyper_.vocabulary};
  graph_.logits = project(normed, "logits", slice, hyper_.vocabulary);
  if (softcap != 0.0f) {
    const ValueId capped = new_value("logits.capped", hyper_.vocabulary);
    emit(graph::SoftcapOp{graph_.logits, capped, softcap});
    graph_.logits = capped;
  }
}

Result<graph::Graph> GraphBuilder::finish() {
  if (error_) return std::unexpected(std::move(*error_));
  return std::move(graph_);
}

}  // namespace wisp::model
