// The samplers that a chain may have, by name, and the order in which most GGUF programs run them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wisp::sample {

enum class SamplerKind : std::uint8_t {
  penalties,
  dry,
  top_n_sigma,
  top_k,
  typical_p,
  top_p,
  min_p,
  xtc,
  temperature,
};

inline constexpr std::array kUsualOrder = {
    SamplerKind::penalties, SamplerKind::dry,       SamplerKind::top_n_sigma,
    SamplerKind::top_k,     SamplerKind::typical_p, SamplerKind::top_p,
    SamplerKind::min_p,     SamplerKind::xtc,       SamplerKind::temperature,
};

// "penalties", ..., "typ_p", ..., as --samplers spells them.
std::string_view sampler_name(SamplerKind kind);

// "penalties;top_k;temperature". Typical is "typ_p" or "typical_p", temperature also "temp"; "-" is as good as "_".
// Empty: no sampler at all. Code::invalid_argument names what is unknown or there twice.
Result<std::vector<SamplerKind>> parse_sampler_order(std::string_view text);

}  // namespace wisp::sample
