#include "model/rope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "quant/block_format.h"

namespace wisp::model {
namespace {

Result<RopeScaling> read_scaling(const Keys& keys) {
  struct Named {
    std::string_view name;
    RopeScaling scaling;
  };
  constexpr std::array known = {Named{"none", RopeScaling::none}, Named{"linear", RopeScaling::linear},
                                Named{"yarn", RopeScaling::yarn}, Named{"longrope", RopeScaling::longrope}};
  // Without a type a factor means linear scaling: files from before there were types.
  WISP_TRY(const std::string_view type, keys.text_or("rope.scaling.type", "linear"));
  const auto found = std::ranges::find(known, type, &Named::name);
  if (found == known.end()) {
    return fail(Code::unsupported, "{} is '{}'; known are none, linear, yarn and longrope",
                keys.name("rope.scaling.type"), printable(type));
  }
  return found->scaling;
}

// The pair that turns `turns` times within the original context, as a real number (YaRN, arXiv 2309.00071, eq. 17 ff.:
// the wavelength of pair i is 2 pi base^(2i/d)).
double pair_that_turns(const RopeSettings& settings, double turns) {
  const double wavelength = settings.original_context / (turns * 2.0 * std::numbers::pi);
  return settings.dimensions * std::log(wavelength) / (2.0 * std::log(settings.base));
}

}  // namespace

Result<RopeSettings> read_rope_settings(const Keys& keys, const Hyperparameters& hyper) {
  RopeSettings settings;
  WISP_TRY(settings.base, keys.number_or("rope.freq_base", 1e-3f, 1e30f, 10000.0f));
  WISP_TRY(settings.dimensions, keys.count_or("rope.dimension_count", 1, hyper.head_dim, hyper.head_dim));
  if (settings.dimensions % 2 != 0) {
    return fail(Code::invalid_file, "{} is {}: RoPE turns pairs, so it must be even", keys.name("rope.dimension_count"),
                settings.dimensions);
  }
  WISP_TRY(settings.scaling, read_scaling(keys));
  WISP_TRY(const float old_factor, keys.number_or("rope.scale_linear", 0.0f, 1e9f, 0.0f));
  WISP_TRY(const float factor, keys.number_or("rope.scaling.factor", 0.0f, 1e9f, old_factor));
  if (factor != 0.0f && settings.scaling != RopeScaling::none) settings.factor = factor;
  WISP_TRY(settings.magnitude, keys.number_or("rope.scaling.attn_factor", 1e-6f, 1e6f, 1.0f));
  WISP_TRY(settings.original_context,
           keys.count_or("rope.scaling.original_context_length", 1, 1u << 30, hyper.trained_context));
  WISP_TRY(settings.beta_fast, keys.number_or("rope.scaling.yarn_beta_fast", 1e-6f, 1e6f, 32.0f));
  WISP_TRY(settings.beta_slow, keys.number_or("rope.scaling.yarn_beta_slow", 1e-6f, 1e6f, 1.0f));
  return settings;
}

graph::RopeSpec make_rope(const RopeSettings& settings, graph::RopePairing pairing,
                          const std::vector<float>& divisors) {
  const std::size_t pairs = settings.dimensions / 2;
  graph::RopeSpec rope;
  rope.pairing = pairing;
  rope.inverse_frequency.resize(pairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    const double frequency = std::pow(settings.base, -2.0 * static_cast<double>(i) / settings.dimensions);
    rope.inverse_frequency[i] = divisors.empty() ? frequency : frequency / static_cast<double>(divisors[i]);
  }
  if (settings.scaling != RopeScaling::yarn) {
    for (double& frequency : rope.inverse_frequency) frequency /= settings.factor;
    rope.magnitude = static_cast<float>(settings.magnitude);
    return rope;
  }
  // YaRN: fast pairs keep their frequency, slow ones are squeezed, a linear ramp over the pair index lies between.
  const double last = settings.dimensions - 1.0;
  const double low = std::max(0.0, std::floor(pair_that_turns(settings, settings.beta_fast)));
  const double high = std::min(last, std::ceil(pair_that_turns(settings, settings.beta_slow)));
  for (std::size_t i = 0; i < pairs; ++i) {
    const double position = (static_cast<double>(i) - low) / std::max(0.001, high - low);
    const double squeezed = std::clamp(position, 0.0, 1.0);
    double& frequency = rope.inverse_frequency[i];
    frequency = frequency / settings.factor * squeezed + frequency * (1.0 - squeezed);
  }
  rope.magnitude = static_cast<float>(settings.magnitude * (1.0 + 0.1 * std::log(settings.factor)));
  return rope;
}

Result<std::vector<float>> read_rope_divisors(const gguf::File& file, const RopeSettings& settings,
                                              std::uint32_t context) {
  const std::string_view by_length =
      context > settings.original_context ? "rope_factors_long.weight" : "rope_factors_short.weight";
  const gguf::TensorInfo* tensor = file.find("rope_freqs.weight");
  if (tensor == nullptr) tensor = file.find(by_length);
  if (tensor == nullptr) return std::vector<float>{};

  if (tensor->elements() != settings.dimensions / 2 || tensor->type != gguf::TensorType::f32) {
    return fail(Code::invalid_file, "tensor '{}' holds {} {} values; expected {} F32 values, one for each pair of RoPE",
                tensor->name, tensor->elements(), gguf::tensor_type_info(tensor->type).name, settings.dimensions / 2);
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor->bytes));
  WISP_CHECK(file.sources[static_cast<std::size_t>(tensor->split)]->read(tensor->offset, bytes));
  std::vector<float> divisors(static_cast<std::size_t>(tensor->elements()));
  WISP_CHECK(quant::decode(tensor->type, bytes, divisors));
  for (const float divisor : divisors) {
    if (!std::isfinite(divisor) || divisor <= 0.0f) {
      return fail(Code::invalid_file, "tensor '{}' holds {}; RoPE factors are positive", tensor->name, divisor);
    }
  }
  return divisors;
}

}  // namespace wisp::model
