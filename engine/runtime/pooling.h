// From hidden states of all tokens of a text to the vector that stands for it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/metadata.h"

namespace wisp::runtime {

// The numbers are those of GGUF's <architecture>.pooling_type.
enum class Pooling : std::uint8_t {
  none = 0,  // each token has a vector
  mean = 1,  // of all tokens
  cls = 2,   // the first token's
  last = 3,  // the last token's
};

// "none", "mean", "cls", "last".
std::string_view pooling_name(Pooling pooling);
Result<Pooling> parse_pooling(std::string_view name);
// What the file asks for; where it says nothing, last, since of a text that is read from left to right only the last
// token has seen all. Code::unsupported for a pooling that is none of these (a ranking head).
Result<Pooling> pooling_of(const gguf::Metadata& metadata);

// Takes the hidden states of one text, in the order of positions. What it gives does not depend on how many came in one
// step.
class Pooler {
 public:
  // `normalize`: to a Euclidean length of 1 (of each vector, where there are several).
  Pooler(Pooling pooling, std::uint32_t width, std::uint32_t n_positions, bool normalize);

  // The first position whose state it needs (Request::logits_from).
  [[nodiscard]] std::uint32_t first_position() const { return pooling_ == Pooling::last ? n_positions_ - 1 : 0; }
  void add(std::uint32_t position, std::span<const float> hidden);
  // [width], or [positions, width] without pooling, after the last position.
  [[nodiscard]] std::vector<float> finish();

 private:
  void scale_to_unit(std::span<float> vector) const;

  Pooling pooling_;
  std::uint32_t width_, n_positions_;
  bool normalize_;
  std::vector<float> vectors_;
  std::vector<double> sums_;  // [width] for mean
};

}  // namespace wisp::runtime
