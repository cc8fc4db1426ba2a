// The numbers of a model, from its metadata. Nothing in them is believed: each is checked for its range and against
// the tensors that are there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"

namespace wisp::model {

// Of a sequence: positions are 32-bit signed and are added to one another.
inline constexpr std::uint32_t kMaxPositions = 1u << 30;

// The numbers every architecture shares. All checked: positive, bounded, consistent.
struct Hyperparameters {
  std::string architecture;           // general.architecture
  std::uint32_t layers = 0;           // block_count
  std::uint32_t d_model = 0;          // embedding_length
  std::uint32_t feed_forward = 0;     // feed_forward_length
  std::uint32_t heads = 0;            // attention.head_count
  std::uint32_t kv_heads = 0;         // attention.head_count_kv, or heads
  std::uint32_t head_dim = 0;         // attention.key_length, or d_model / heads
  std::uint32_t trained_context = 0;  // context_length
  std::uint32_t vocabulary = 0;       // rows of the embedding table
  float norm_eps = 0;                 // attention.layer_norm_rms_epsilon
};

Result<Hyperparameters> read_hyperparameters(const gguf::File& file);

// Looks up "<architecture>.<key>". The messages name the whole key.
class Keys {
 public:
  Keys(const gguf::Metadata& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(std::string(architecture) + ".") {}

  [[nodiscard]] std::string name(std::string_view key) const { return prefix_ + std::string(key); }
  [[nodiscard]] bool has(std::string_view key) const { return metadata_.has(name(key)); }
  // An integer of [least, most]. An array stands for one number where all its entries agree.
  Result<std::uint32_t> count(std::string_view key, std::uint32_t least, std::uint32_t most) const;
  Result<std::uint32_t> count_or(std::string_view key, std::uint32_t least, std::uint32_t most,
                                 std::uint32_t otherwise) const;
  // A number of [least, most], which NaN is not.
  Result<float> number(std::string_view key, float least, float most) const;
  Result<float> number_or(std::string_view key, float least, float most, float otherwise) const;
  Result<std::string_view> text_or(std::string_view key, std::string_view otherwise) const {
    return metadata_.text_or(name(key), otherwise);
  }
  [[nodiscard]] const gguf::Metadata& metadata() const { return metadata_; }

 private:
  const gguf::Metadata& metadata_;
  std::string prefix_;
};

}  // namespace wisp::model
