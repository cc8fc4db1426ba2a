// RoPE and its scalings: from a base, metadata and factor tensors to the one form that executors know, a frequency per
// pair and a magnitude.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"
#include "graph/graph.h"
#include "model/hyperparameters.h"

namespace wisp::model {

enum class RopeScaling : std::uint8_t { none, linear, yarn, longrope };

// What the metadata says about RoPE ("<arch>.rope.*").
struct RopeSettings {
  double base = 10000.0;         // freq_base
  std::uint32_t dimensions = 0;  // dimension_count, or the head size: elements of a head that turn
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;                 // scaling.factor: positions are squeezed by it
  double magnitude = 1.0;              // scaling.attn_factor
  std::uint32_t original_context = 0;  // scaling.original_context_length, or the trained context
  double beta_fast = 32.0;             // YaRN: pairs that turn more often than this in the original context stay,
  double beta_slow = 1.0;              // those that turn less often are squeezed, between them they blend
};

// Refuses by name: an unknown scaling type, an odd or too large dimension count, numbers out of range.
Result<RopeSettings> read_rope_settings(const Keys& keys, const Hyperparameters& hyper);

// `divisors`: [dimensions / 2] factors from the file (Llama 3, LongRoPE) by which frequencies are divided; or empty.
graph::RopeSpec make_rope(const RopeSettings& settings, graph::RopePairing pairing, const std::vector<float>& divisors);

// The factors that the file gives for this context size: rope_freqs.weight wherever it is there, else
// rope_factors_long.weight where the context exceeds the original one, else rope_factors_short.weight. Empty if none.
Result<std::vector<float>> read_rope_divisors(const gguf::File& file, const RopeSettings& settings,
                                              std::uint32_t context);

}  // namespace wisp::model
