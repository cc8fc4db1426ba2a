#include "model/hyperparameters.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/checked.h"

namespace wisp::model {
namespace {

constexpr std::uint32_t kMaxWidth = 1u << 24;  // of a row of activations: hundreds of times any real model's
constexpr std::uint32_t kMaxVocabulary = std::numeric_limits<std::int32_t>::max();  // token ids are 32-bit signed

// More tokens than rows would let a prompt name a row that is not there.
Status check_tokens(const gguf::File& file, std::uint64_t rows) {
  constexpr std::string_view key = "tokenizer.ggml.tokens";
  if (!file.metadata.has(key)) return {};
  WISP_TRY(const gguf::Array* tokens, file.metadata.array(key));
  if (tokens->size() > rows) {
    return fail(Code::invalid_file, "{} holds {} tokens but 'token_embd.weight' has only {} rows", key, tokens->size(),
                rows);
  }
  return {};
}

Result<std::uint32_t> count_vocabulary(const gguf::File& file, std::uint32_t d_model) {
  const gguf::TensorInfo* table = file.find("token_embd.weight");
  if (table == nullptr) {
    return fail(Code::invalid_file, "tensor 'token_embd.weight' is missing: this is no complete language model");
  }
  if (table->dims[0] != d_model) {
    return fail(Code::invalid_file, "tensor 'token_embd.weight' has rows of {} elements; expected {}", table->dims[0],
                d_model);
  }
  if (table->dims[1] > kMaxVocabulary) {
    return fail(Code::invalid_file, "tensor 'token_embd.weight' has {} rows; at most {} make sense", table->dims[1],
                kMaxVocabulary);
  }
  WISP_CHECK(check_tokens(file, table->dims[1]));
  return static_cast<std::uint32_t>(table->dims[1]);
}

Status check_heads(const Hyperparameters& hyper, const Keys& keys) {
  if (hyper.heads % hyper.kv_heads != 0) {
    return fail(Code::invalid_file, "{} {} is not a multiple of {} {}", keys.name("attention.head_count"), hyper.heads,
                keys.name("attention.head_count_kv"), hyper.kv_heads);
  }
  if (std::uint64_t{hyper.heads} * hyper.head_dim > kMaxWidth) {
    return fail(Code::invalid_file, "{} heads of {} elements are out of range", hyper.heads, hyper.head_dim);
  }
  return {};
}

}  // namespace

Result<std::uint32_t> Keys::count(std::string_view key, std::uint32_t least, std::uint32_t most) const {
  const std::string full = name(key);
  std::uint64_t value = 0;
  const gguf::Value* entry = metadata_.find(full);
  if (entry != nullptr && entry->type == gguf::ValueType::array) {
    WISP_TRY(const gguf::Array* array, metadata_.array(full));
    const std::vector<std::int64_t>& entries = array->integers;
    if (entries.empty()) return fail(Code::invalid_file, "{} is not an array of integers", full);
    if (std::ranges::any_of(entries, [&](std::int64_t e) { return e != entries[0]; })) {
      return fail(Code::unsupported, "{} differs from layer to layer, which architecture {} does not support here",
                  full, prefix_.substr(0, prefix_.size() - 1));
    }
    value = static_cast<std::uint64_t>(std::max<std::int64_t>(entries[0], 0));
  } else {
    WISP_TRY(value, metadata_.unsigned_integer(full));
  }
  if (value < least || value > most) {
    return fail(Code::invalid_file, "{} is {}; expected {} to {}", full, value, least, most);
  }
  return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> Keys::count_or(std::string_view key, std::uint32_t least, std::uint32_t most,
                                     std::uint32_t otherwise) const {
  return has(key) ? count(key, least, most) : Result<std::uint32_t>(otherwise);
}

Result<float> Keys::number(std::string_view key, float least, float most) const {
  WISP_TRY(const double value, metadata_.number(name(key)));
  if (!(value >= least && value <= most)) {
    return fail(Code::invalid_file, "{} is {}; expected {} to {}", name(key), value, least, most);
  }
  return static_cast<float>(value);
}

Result<float> Keys::number_or(std::string_view key, float least, float most, float otherwise) const {
  return has(key) ? number(key, least, most) : Result<float>(otherwise);
}

Result<Hyperparameters> read_hyperparameters(const gguf::File& file) {
  Hyperparameters hyper;
  WISP_TRY(const std::string_view architecture, file.metadata.text("general.architecture"));
  hyper.architecture = architecture;
  const Keys keys(file.metadata, architecture);

  if (file.tensors.empty()) {
    return fail(Code::invalid_file, "the file holds no weights: a vocabulary or a template alone cannot be run");
  }
  // Every layer has tensors of its own, so a count above the number of tensors is a lie, and a bound on all loops.
  const auto most_layers = static_cast<std::uint32_t>(std::min<std::size_t>(file.tensors.size(), gguf::kMaxTensors));
  WISP_TRY(hyper.layers, keys.count("block_count", 1, std::max(most_layers, 1u)));
  WISP_TRY(hyper.d_model, keys.count("embedding_length", 1, kMaxWidth));
  WISP_TRY(hyper.feed_forward, keys.count("feed_forward_length", 1, kMaxWidth));
  WISP_TRY(hyper.heads, keys.count("attention.head_count", 1, kMaxWidth));
  WISP_TRY(hyper.kv_heads, keys.count_or("attention.head_count_kv", 1, hyper.heads, hyper.heads));
  WISP_TRY(hyper.trained_context, keys.count("context_length", 1, kMaxPositions));
  WISP_TRY(hyper.norm_eps, keys.number("attention.layer_norm_rms_epsilon", 0.0f, 1.0f));

  if (keys.has("attention.key_length")) {
    WISP_TRY(hyper.head_dim, keys.count("attention.key_length", 1, kMaxWidth));
  } else if (hyper.d_model % hyper.heads == 0) {
    hyper.head_dim = hyper.d_model / hyper.heads;
  } else {
    return fail(Code::invalid_file, "{} {} is not a multiple of {} {}", keys.name("embedding_length"), hyper.d_model,
                keys.name("attention.head_count"), hyper.heads);
  }
  WISP_TRY(const std::uint32_t value_length, keys.count_or("attention.value_length", 1, kMaxWidth, hyper.head_dim));
  if (value_length != hyper.head_dim) {
    return fail(Code::unsupported, "{} {} differs from the key length {}, which is not supported",
                keys.name("attention.value_length"), value_length, hyper.head_dim);
  }
  WISP_CHECK(check_heads(hyper, keys));

  WISP_TRY(const std::uint32_t experts, keys.count_or("expert_count", 0, std::numeric_limits<std::uint32_t>::max(), 0));
  if (experts != 0) {
    return fail(Code::unsupported, "{} is {}: mixture-of-experts models are not supported yet",
                keys.name("expert_count"), experts);
  }
  WISP_TRY(hyper.vocabulary, count_vocabulary(file, hyper.d_model));
  return hyper;
}

}  // namespace wisp::model
