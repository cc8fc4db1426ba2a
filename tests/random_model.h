// Small models of any known architecture with random weights of any type, built in memory through gguf::Writer: for
// tests that need a model, not a particular one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/reader.h"
#include "gguf/tensor_type.h"

namespace wisp::test {

struct RandomModelShape {
  std::string architecture = "llama";
  std::uint32_t layers = 2;
  std::uint32_t d_model = 64;
  std::uint32_t feed_forward = 96;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  std::uint32_t head_dim = 16;
  std::uint32_t vocabulary = 40;
  std::uint32_t context = 256;
  gguf::TensorType type = gguf::TensorType::f32;  // of the matrices
  bool tied = false;
  bool biases = false;     // of q, k and v
  bool fused_qkv = false;  // one attn_qkv instead of attn_q, attn_k, attn_v; the same numbers for the same seed
  std::uint64_t seed = 1;
};

// A random model with a file's worth of bytes behind it.
struct RandomModel {
  std::vector<std::byte> bytes;
  gguf::File file;  // reads `bytes` in place
};

// What a plain file of this shape says; tests may change entries before writing.
gguf::Metadata random_metadata(const RandomModelShape& shape);
// The file's bytes. `metadata` as above, or changed.
std::vector<std::byte> write_random_model(const RandomModelShape& shape, const gguf::Metadata& metadata);
RandomModel random_model(const RandomModelShape& shape);
// Reads what write_random_model() gave; `bytes` must outlive the file.
gguf::File open_bytes(const std::vector<std::byte>& bytes);

// The architectures of this build, as shapes worth testing: biases, head norms, windows, tied outputs all occur.
std::vector<RandomModelShape> shapes_of_every_architecture();

}  // namespace wisp::test
