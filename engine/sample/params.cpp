#include "sample/params.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

namespace wisp::sample {
namespace {

Status check_finite(std::string_view name, float value) {
  if (std::isfinite(value)) return {};
  return fail(Code::invalid_argument, "{} is {}, expected a finite number", name, value);
}

Status check_share(std::string_view name, float value) {
  if (value >= 0.0f && value <= 1.0f) return {};
  return fail(Code::invalid_argument, "{} is {}, expected 0 to 1", name, value);
}

Status check_at_least(std::string_view name, float value, float least) {
  WISP_CHECK(check_finite(name, value));
  if (value >= least) return {};
  return fail(Code::invalid_argument, "{} is {}, expected {} or more", name, value, least);
}

Status check_last_n(std::string_view name, std::int32_t value) {
  if (value >= -1) return {};
  return fail(Code::invalid_argument, "{} is {}, expected a number of tokens, or -1 for all", name, value);
}

Status check_breakers(const std::vector<std::vector<TokenId>>& breakers) {
  std::size_t tokens = 0;
  for (const std::vector<TokenId>& breaker : breakers) {
    if (breaker.empty() || breaker.size() > kMostBreakerTokens) {
      return fail(Code::invalid_argument, "a sequence in dry_breakers has {} tokens, expected 1 to {}", breaker.size(),
                  kMostBreakerTokens);
    }
    tokens += breaker.size();
  }
  if (tokens <= kMostBreakersTokens) return {};
  return fail(Code::limit, "dry_breakers have {} tokens together, and no more than {} may", tokens,
              kMostBreakersTokens);
}

Status check_dry(const SamplingParams& params) {
  WISP_CHECK(check_at_least("dry_multiplier", params.dry_multiplier, 0.0f));
  WISP_CHECK(check_at_least("dry_base", params.dry_base, 1.0f));
  if (params.dry_allowed_length < 0) {
    return fail(Code::invalid_argument, "dry_allowed_length is {}, expected 0 or more", params.dry_allowed_length);
  }
  WISP_CHECK(check_last_n("dry_penalty_last_n", params.dry_penalty_last_n));
  return check_breakers(params.dry_breakers);
}

Status check_order(const std::vector<SamplerKind>& samplers) {
  for (std::size_t i = 0; i < samplers.size(); ++i) {
    if (std::ranges::find(kUsualOrder, samplers[i]) == kUsualOrder.end()) {
      return fail(Code::invalid_argument, "samplers names number {}, which is none", static_cast<int>(samplers[i]));
    }
    if (std::find(samplers.begin(), samplers.begin() + static_cast<std::ptrdiff_t>(i), samplers[i]) !=
        samplers.begin() + static_cast<std::ptrdiff_t>(i)) {
      return fail(Code::invalid_argument, "samplers names {} twice", sampler_name(samplers[i]));
    }
  }
  return {};
}

}  // namespace

Status validate(const SamplingParams& params, std::size_t n_vocab) {
  if (n_vocab == 0 || n_vocab > static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    return fail(Code::invalid_argument, "a vocabulary of {} tokens cannot be sampled from", n_vocab);
  }
  WISP_CHECK(check_finite("temperature", params.temperature));
  WISP_CHECK(check_share("top_p", params.top_p));
  WISP_CHECK(check_share("min_p", params.min_p));
  WISP_CHECK(check_finite("repeat_penalty", params.repeat_penalty));
  if (params.repeat_penalty <= 0.0f) {
    return fail(Code::invalid_argument, "repeat_penalty is {}, expected more than 0 (1 turns it off)",
                params.repeat_penalty);
  }
  WISP_CHECK(check_finite("frequency_penalty", params.frequency_penalty));
  WISP_CHECK(check_finite("presence_penalty", params.presence_penalty));
  WISP_CHECK(check_last_n("penalty_last_n", params.penalty_last_n));
  WISP_CHECK(check_share("typical_p", params.typical_p));
  WISP_CHECK(check_finite("top_n_sigma", params.top_n_sigma));
  WISP_CHECK(check_share("xtc_probability", params.xtc_probability));
  WISP_CHECK(check_share("xtc_threshold", params.xtc_threshold));
  WISP_CHECK(check_at_least("dynatemp_range", params.dynatemp_range, 0.0f));
  WISP_CHECK(check_at_least("dynatemp_exponent", params.dynatemp_exponent, 0.0f));
  WISP_CHECK(check_dry(params));
  WISP_CHECK(check_at_least("mirostat_tau", params.mirostat_tau, 0.0f));
  WISP_CHECK(check_at_least("mirostat_eta", params.mirostat_eta, 0.0f));
  WISP_CHECK(check_order(params.samplers));
  for (const auto& [token, bias] : params.logit_bias) {
    if (token < 0 || static_cast<std::size_t>(token) >= n_vocab) {
      return fail(Code::invalid_argument, "logit_bias names token {}, but tokens are 0 to {}", token, n_vocab - 1);
    }
    if (std::isnan(bias) || bias == std::numeric_limits<float>::infinity()) {
      return fail(Code::invalid_argument, "logit_bias of token {} is {}, expected a finite number or -infinity", token,
                  bias);
    }
  }
  return {};
}

}  // namespace wisp::sample
