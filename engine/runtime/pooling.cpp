#include "runtime/pooling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace wisp::runtime {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"none", "mean", "cls", "last"};

}  // namespace

std::string_view pooling_name(Pooling pooling) { return kNames[static_cast<std::size_t>(pooling)]; }

Result<Pooling> parse_pooling(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Pooling>(i);
  }
  return fail(Code::invalid_argument, "'{}' is no pooling; there are none, mean, cls and last", printable(name));
}

Result<Pooling> pooling_of(const gguf::Metadata& metadata) {
  const Result<std::string_view> architecture = metadata.text("general.architecture");
  if (!architecture) return Pooling::last;
  const std::string key = std::string(*architecture) + ".pooling_type";
  if (metadata.find(key) == nullptr) return Pooling::last;
  WISP_TRY(const std::uint64_t type, metadata.unsigned_integer(key));
  if (type < kNames.size()) return static_cast<Pooling>(type);
  return fail(Code::unsupported, "{} is {}, which is no pooling of vectors; --pooling says which one to use", key,
              type);
}

Pooler::Pooler(Pooling pooling, std::uint32_t width, std::uint32_t n_positions, bool normalize)
    : pooling_(pooling), width_(width), n_positions_(n_positions), normalize_(normalize) {
  if (pooling == Pooling::mean) sums_.assign(width, 0.0);
  vectors_.reserve(pooling == Pooling::none ? std::size_t{width} * n_positions : width);
}

void Pooler::add(std::uint32_t position, std::span<const float> hidden) {
  switch (pooling_) {
    case Pooling::none: vectors_.insert(vectors_.end(), hidden.begin(), hidden.end()); return;
    case Pooling::mean:
      for (std::size_t i = 0; i < hidden.size(); ++i) sums_[i] += static_cast<double>(hidden[i]);
      return;
    case Pooling::cls:
      if (position == 0) vectors_.assign(hidden.begin(), hidden.end());
      return;
    case Pooling::last:
      if (position + 1 == n_positions_) vectors_.assign(hidden.begin(), hidden.end());
      return;
  }
}

std::vector<float> Pooler::finish() {
  if (pooling_ == Pooling::mean) {
    vectors_.resize(width_);
    std::ranges::transform(sums_, vectors_.begin(),
                           [this](double sum) { return static_cast<float>(sum / n_positions_); });
  }
  if (normalize_) {
    for (std::size_t begin = 0; begin < vectors_.size(); begin += width_) {
      scale_to_unit(std::span(vectors_).subspan(begin, width_));
    }
  }
  return std::exchange(vectors_, {});
}

void Pooler::scale_to_unit(std::span<float> vector) const {
  double squares = 0.0;
  for (const float x : vector) squares += static_cast<double>(x) * static_cast<double>(x);
  if (squares == 0.0) return;  // has no direction
  const double scale = 1.0 / std::sqrt(squares);
  for (float& x : vector) x = static_cast<float>(static_cast<double>(x) * scale);
}

}  // namespace wisp::runtime
