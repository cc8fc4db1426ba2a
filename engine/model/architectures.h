// The architectures this build knows. Each is one short file in architectures/ that describes the model in the words of
// GraphBuilder; a new one adds its file and a line in architectures.cpp.
#pragma once

#include <span>
#include <string_view>

#include "model/graph_builder.h"

namespace wisp::model {

struct Architecture {
  std::string_view name;  // general.architecture
  void (*build)(GraphBuilder& b);
};

// Sorted by name.
std::span<const Architecture> architectures();

void build_gemma2(GraphBuilder& b);
void build_gemma3(GraphBuilder& b);
void build_llama(GraphBuilder& b);
void build_qwen2(GraphBuilder& b);
void build_qwen3(GraphBuilder& b);

}  // namespace wisp::model
