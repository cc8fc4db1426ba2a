// The shape of a llama model, and the GGUF metadata and tensor table that follow from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/metadata.h"
#include "gguf/reader.h"
#include "gguf/writer.h"

namespace wisp::tools {

struct ModelShape {
  std::uint32_t layers = 2;
  std::uint32_t d_model = 256;
  std::uint32_t d_ff = 768;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  std::uint32_t head_dim = 64;
  std::uint32_t vocab = 512;
  std::uint32_t context = 1024;
  bool tied = false;          // no output matrix: the embedding serves
  std::string type = "Q8_0";  // of every matrix; or the mix "Q4_K_M". Norms are F32.
  std::uint64_t seed = 1;
};

// "8b": 32 layers of 4096 with 14336 inside, 32 heads sharing 8 of 128, a vocabulary of 128,256: as Q4_K_M past 4 GiB;
// "1b": 16 layers of 2048 with 8192 inside, 32 heads sharing 8 of 64; "125m": 12 layers of 768, 12 heads of 64.
Result<ModelShape> preset(const std::string& name);

struct RandomTensor {
  gguf::TensorInfo info;
  float deviation = 0;  // 0: a norm, all ones
};

// Checks the shape; Code::invalid_argument says what does not fit.
Result<std::vector<RandomTensor>> random_tensors(const ModelShape& shape);
// Hyperparameters and a SentencePiece vocabulary of shape.vocab tokens, every one of which can be reached by merging.
gguf::Metadata random_metadata(const ModelShape& shape);

// A file of those that a model is split into: a run of its tensors, and in the first the metadata.
struct Part {
  std::uint32_t index = 0, count = 1;
};

// Writes a whole file in constant memory. `progress` is called after each tensor with the share done, 0 to 1. A split
// model has the same tensors as a whole one.
Status write_random_model(const ModelShape& shape, const gguf::ByteSink& sink,
                          const std::function<void(double)>& progress, Part part = {});

}  // namespace wisp::tools
