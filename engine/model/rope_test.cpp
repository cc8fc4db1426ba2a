// The scalings by their defining properties; logits of models that use them are in tests/golden_logits_test.cpp.
#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "gguf/writer.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"

namespace wisp::model {
namespace {

using graph::RopePairing;

constexpr RopeSettings kPlain = {.base = 10000.0, .dimensions = 64, .original_context = 128};

std::vector<double> frequencies(const RopeSettings& settings, const std::vector<float>& divisors = {}) {
  return make_rope(settings, RopePairing::adjacent, divisors).inverse_frequency;
}

TEST(Rope, PlainFrequenciesFallFromOneByTheBase) {
  const std::vector<double> f = frequencies(kPlain);
  ASSERT_EQ(f.size(), 32u);
  EXPECT_EQ(f[0], 1.0);
  EXPECT_NEAR(f[16], 0.01, 1e-15);
  for (std::size_t i = 1; i < f.size(); ++i) EXPECT_NEAR(f[i] / f[i - 1], std::pow(10000.0, -1.0 / 32), 1e-12);
}

TEST(Rope, LinearScalingSqueezesEveryPair) {
  RopeSettings settings = kPlain;
  settings.scaling = RopeScaling::linear;
  settings.factor = 4.0;
  const std::vector<double> plain = frequencies(kPlain);
  const std::vector<double> squeezed = frequencies(settings);
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_DOUBLE_EQ(squeezed[i], plain[i] / 4.0);
}

TEST(Rope, YarnKeepsFastPairsAndSqueezesSlowOnes) {
  RopeSettings settings = kPlain;
  settings.scaling = RopeScaling::yarn;
  settings.factor = 4.0;
  const std::vector<double> plain = frequencies(kPlain);
  const graph::RopeSpec yarn = make_rope(settings, RopePairing::adjacent, {});
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const double turns = settings.original_context * plain[i] / (2 * std::numbers::pi);
    const double ratio = plain[i] / yarn.inverse_frequency[i];
    EXPECT_GE(ratio, 1.0 - 1e-12);
    EXPECT_LE(ratio, 4.0 + 1e-12);
    // Bounds of the ramp are rounded outwards, so a pair beyond them is exactly kept or squeezed.
    if (turns > settings.beta_fast) {
      EXPECT_DOUBLE_EQ(ratio, 1.0) << i;
    }
    if (turns < settings.beta_slow / 2) {
      EXPECT_DOUBLE_EQ(ratio, 4.0) << i;
    }
  }
  EXPECT_FLOAT_EQ(yarn.magnitude, static_cast<float>(1.0 + 0.1 * std::log(4.0)));
}

// A file with factor tensors of `pairs` values each.
std::vector<std::byte> file_with(const std::vector<std::pair<std::string, float>>& tensors, std::size_t pairs) {
  std::vector<gguf::TensorInfo> infos;
  for (const auto& [name, value] : tensors) {
    infos.push_back({.name = name, .type = gguf::TensorType::f32, .n_dims = 1, .dims = {pairs, 1, 1, 1}});
  }
  std::vector<std::byte> bytes;
  gguf::Writer writer([&](std::span<const std::byte> piece) -> Status {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  });
  test::must(writer.begin({}, infos));
  for (const auto& [name, value] : tensors) {
    const std::vector<float> values(pairs, value);
    test::must(writer.write_tensor_data(std::as_bytes(std::span(values))));
  }
  test::must(writer.finish());
  return bytes;
}

TEST(Rope, LongFactorsApplyByTheContextSize) {
  const std::vector<std::byte> bytes =
      file_with({{"rope_factors_long.weight", 8.0f}, {"rope_factors_short.weight", 2.0f}}, 32);
  const gguf::File file = test::open_bytes(bytes);
  EXPECT_EQ(test::must(read_rope_divisors(file, kPlain, 128)), std::vector<float>(32, 2.0f));
  EXPECT_EQ(test::must(read_rope_divisors(file, kPlain, 129)), std::vector<float>(32, 8.0f));
  EXPECT_DOUBLE_EQ(frequencies(kPlain, std::vector<float>(32, 8.0f))[0], 1.0 / 8);
}

TEST(Rope, FactorsOfLlama3WinOverLength) {
  const std::vector<std::byte> bytes = file_with({{"rope_factors_long.weight", 8.0f}, {"rope_freqs.weight", 3.0f}}, 32);
  const gguf::File file = test::open_bytes(bytes);
  EXPECT_EQ(test::must(read_rope_divisors(file, kPlain, 4096)), std::vector<float>(32, 3.0f));
}

TEST(Rope, RefusesFactorsThatCannotBe) {
  for (const float bad : {0.0f, -1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const std::vector<std::byte> bytes = file_with({{"rope_freqs.weight", bad}}, 32);
    EXPECT_EQ(read_rope_divisors(test::open_bytes(bytes), kPlain, 1).error().code, Code::invalid_file) << bad;
  }
  const std::vector<std::byte> bytes = file_with({{"rope_freqs.weight", 1.0f}}, 31);
  EXPECT_EQ(read_rope_divisors(test::open_bytes(bytes), kPlain, 1).error().code, Code::invalid_file);
}

}  // namespace
}  // namespace wisp::model
