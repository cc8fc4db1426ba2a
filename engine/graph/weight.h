// The weights a graph uses, as a table. A graph names weights by id; where their bytes lie is the model's business, and
// how they are laid out in memory the executor's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gguf/tensor_type.h"

namespace wisp::graph {

enum class WeightId : std::int32_t {};
inline constexpr WeightId kNoWeight{-1};

// How the graph uses a tensor. One tensor may be used in several ways (tied embeddings: `table` and `matrix`).
struct WeightUse {
  bool matrix = false;  // right-hand side of a matmul
  bool table = false;   // rows gathered by token id
  bool vector = false;  // norm weight, bias: held as f32
};

// A 2-D (or 1-D: rows == 1) tensor or a run of its rows, y = x W^T: `columns` inputs, `rows` outputs.
struct Weight {
  std::string name;  // as in the file: "blk.0.attn_q.weight"
  gguf::TensorType type = gguf::TensorType::f32;
  std::uint32_t columns = 0;  // length of a row in elements = dims[0]
  std::uint32_t rows = 1;     // = dims[1]
  std::size_t tensor = 0;     // index into gguf::File::tensors
  // Where it starts in the tensor, in elements; not 0 for the parts of a fused tensor (q, k and v of attn_qkv).
  std::uint64_t first_element = 0;
  WeightUse use;
};

using WeightTable = std::vector<Weight>;  // indexed by WeightId

}  // namespace wisp::graph
