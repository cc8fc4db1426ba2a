#include "tests/random_model.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>

#include "gguf/writer.h"
#include "quant/random_blocks.h"

namespace wisp::test {
namespace {

using gguf::TensorInfo;
using gguf::TensorType;

// Tensors with their data, in file order. Each tensor's numbers depend on the seed and its name alone.
class Tensors {
 public:
  Tensors(TensorType type, std::uint64_t seed) : type_(type), seed_(seed) {}

  void matrix(const std::string& name, std::uint32_t columns, std::uint32_t rows) {
    add(name, type_, 2, columns, rows, blocks(name, columns, rows));
  }
  // One tensor whose rows are those of the named ones, in order.
  void joined(const std::string& name, std::uint32_t columns,
              const std::vector<std::pair<std::string, std::uint32_t>>& parts) {
    std::vector<std::byte> bytes;
    std::uint32_t rows = 0;
    for (const auto& [part, part_rows] : parts) {
      const std::vector<std::byte> more = blocks(part, columns, part_rows);
      bytes.insert(bytes.end(), more.begin(), more.end());
      rows += part_rows;
    }
    add(name, type_, 2, columns, rows, std::move(bytes));
  }
  // Around `mean`: norm weights around 1, biases around 0.
  void vector(const std::string& name, std::uint32_t columns, float mean) {
    quant::Random random(seed_ ^ std::hash<std::string>{}(name));
    std::vector<std::byte> bytes(columns * sizeof(float));
    for (std::uint32_t i = 0; i < columns; ++i) {
      const float value = mean + 0.5f * random.uniform();
      std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof value);
    }
    add(name, TensorType::f32, 1, columns, 1, std::move(bytes));
  }

  std::vector<TensorInfo> infos;
  std::vector<std::vector<std::byte>> data;

 private:
  std::vector<std::byte> blocks(const std::string& name, std::uint32_t columns, std::uint32_t rows) const {
    quant::Random random(seed_ ^ std::hash<std::string>{}(name));
    const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type_);
    std::vector<std::byte> bytes(std::size_t{columns} * rows / info.block_elements * info.block_bytes);
    quant::random_blocks(type_, 1.0f / std::sqrt(static_cast<float>(columns)), random, bytes);
    return bytes;
  }
  void add(const std::string& name, TensorType type, int n_dims, std::uint32_t columns, std::uint32_t rows,
           std::vector<std::byte> bytes) {
    infos.push_back({.name = name, .type = type, .n_dims = n_dims, .dims = {columns, rows, 1, 1}});
    data.push_back(std::move(bytes));
  }
  TensorType type_;
  std::uint64_t seed_;
};

Tensors make_tensors(const RandomModelShape& s) {
  Tensors t(s.type, s.seed);
  const bool gemma = s.architecture.starts_with("gemma");
  const bool head_norms = s.architecture == "qwen3" || s.architecture == "gemma3";
  const std::uint32_t q_width = s.heads * s.head_dim;
  const std::uint32_t kv_width = s.kv_heads * s.head_dim;
  t.matrix("token_embd.weight", s.d_model, s.vocabulary);
  for (std::uint32_t layer = 0; layer < s.layers; ++layer) {
    const std::string blk = "blk." + std::to_string(layer) + ".";
    t.vector(blk + "attn_norm.weight", s.d_model, 1.0f);
    if (s.fused_qkv) {
      t.joined(
          blk + "attn_qkv.weight", s.d_model,
          {{blk + "attn_q.weight", q_width}, {blk + "attn_k.weight", kv_width}, {blk + "attn_v.weight", kv_width}});
    } else {
      t.matrix(blk + "attn_q.weight", s.d_model, q_width);
      t.matrix(blk + "attn_k.weight", s.d_model, kv_width);
      t.matrix(blk + "attn_v.weight", s.d_model, kv_width);
    }
    if (s.biases) {
      t.vector(blk + "attn_q.bias", q_width, 0.0f);
      t.vector(blk + "attn_k.bias", kv_width, 0.0f);
      t.vector(blk + "attn_v.bias", kv_width, 0.0f);
    }
    if (head_norms) {
      t.vector(blk + "attn_q_norm.weight", s.head_dim, 1.0f);
      t.vector(blk + "attn_k_norm.weight", s.head_dim, 1.0f);
    }
    t.matrix(blk + "attn_output.weight", q_width, s.d_model);
    if (gemma) t.vector(blk + "post_attention_norm.weight", s.d_model, 1.0f);
    t.vector(blk + "ffn_norm.weight", s.d_model, 1.0f);
    t.matrix(blk + "ffn_gate.weight", s.d_model, s.feed_forward);
    t.matrix(blk + "ffn_up.weight", s.d_model, s.feed_forward);
    t.matrix(blk + "ffn_down.weight", s.feed_forward, s.d_model);
    if (gemma) t.vector(blk + "post_ffw_norm.weight", s.d_model, 1.0f);
  }
  t.vector("output_norm.weight", s.d_model, 1.0f);
  if (!s.tied) t.matrix("output.weight", s.d_model, s.vocabulary);
  return t;
}

void require(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

}  // namespace

gguf::Metadata random_metadata(const RandomModelShape& s) {
  gguf::Metadata metadata;
  const auto set = [&](const std::string& key, gguf::Value value) {
    metadata.set(s.architecture + "." + key, std::move(value));
  };
  metadata.set("general.architecture", gguf::Value::text(s.architecture));
  set("block_count", gguf::Value::u32(s.layers));
  set("context_length", gguf::Value::u32(s.context));
  set("embedding_length", gguf::Value::u32(s.d_model));
  set("feed_forward_length", gguf::Value::u32(s.feed_forward));
  set("attention.head_count", gguf::Value::u32(s.heads));
  set("attention.head_count_kv", gguf::Value::u32(s.kv_heads));
  set("attention.key_length", gguf::Value::u32(s.head_dim));
  set("attention.value_length", gguf::Value::u32(s.head_dim));
  set("attention.layer_norm_rms_epsilon", gguf::Value::f32(1e-5f));
  if (s.architecture.starts_with("gemma")) set("attention.sliding_window", gguf::Value::u32(40));
  return metadata;
}

std::vector<std::byte> write_random_model(const RandomModelShape& shape, const gguf::Metadata& metadata) {
  const Tensors tensors = make_tensors(shape);
  std::vector<std::byte> bytes;
  gguf::Writer writer([&](std::span<const std::byte> piece) -> Status {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  });
  require(writer.begin(metadata, tensors.infos));
  for (const std::vector<std::byte>& data : tensors.data) require(writer.write_tensor_data(data));
  require(writer.finish());
  return bytes;
}

gguf::File open_bytes(const std::vector<std::byte>& bytes) {
  std::unique_ptr<gguf::ByteSource> source = gguf::from_memory(bytes, "random model");
  Result<gguf::File> file = gguf::read_file(source);
  if (!file) throw std::runtime_error(file.error().message);
  return std::move(*file);
}

RandomModel random_model(const RandomModelShape& shape) {
  RandomModel model;
  model.bytes = write_random_model(shape, random_metadata(shape));
  model.file = open_bytes(model.bytes);
  return model;
}

std::vector<RandomModelShape> shapes_of_every_architecture() {
  return {{.architecture = "gemma2", .layers = 3, .tied = true},
          {.architecture = "gemma3", .layers = 7, .kv_heads = 1, .tied = true},
          {.architecture = "llama"},
          {.architecture = "qwen2", .tied = true, .biases = true},
          {.architecture = "qwen3", .heads = 6, .kv_heads = 3}};
}

}  // namespace wisp::test
