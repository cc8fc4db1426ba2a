#include "sample/params.h"

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
  if (params.penalty_last_n < -1) {
    return fail(Code::invalid_argument, "penalty_last_n is {}, expected a number of tokens, or -1 for all",
                params.penalty_last_n);
  }
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
