// What must not change a bit of any executor's result: fusion, how a text is cut into steps, the size of the plan, and
// who else is in the step.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/executors.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"

namespace wisp {
namespace {

using gguf::TensorType;

std::vector<std::int32_t> some_tokens(std::size_t n, std::uint32_t vocabulary, std::uint32_t seed = 1) {
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    tokens.push_back(static_cast<std::int32_t>((seed >> 8) % vocabulary));
  }
  return tokens;
}

struct Case {
  test::ExecutorKind executor;
  test::RandomModelShape shape;
};

// Every architecture in F32, and a type of each kind of integer arithmetic.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const test::ExecutorKind& executor : test::executor_kinds()) {
    for (test::RandomModelShape shape : test::shapes_of_every_architecture()) {
      all.push_back({executor, shape});
      shape.type = TensorType::q4_1;
      all.push_back({executor, shape});
    }
    for (const TensorType type : {TensorType::q2_k, TensorType::q6_k}) {
      all.push_back({executor, {.layers = 1, .d_model = 256, .feed_forward = 256, .head_dim = 64, .type = type}});
    }
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.executor.name + "_" + info.param.shape.architecture + "_" +
         std::string(gguf::tensor_type_info(info.param.shape.type).name);
}

class ExecutorInvariants : public testing::TestWithParam<Case> {
 protected:
  ExecutorInvariants() : model_(test::random_model(GetParam().shape)) {}
  test::ModelRunner runner(test::RunnerOptions options = {}) {
    options.max_positions = std::min(options.max_positions, 128u);
    return {model_.file, GetParam().executor.make(), std::move(options)};
  }
  test::RandomModel model_;
};

TEST_P(ExecutorInvariants, FusionChangesNoBit) {
  const std::vector<std::int32_t> tokens = some_tokens(70, GetParam().shape.vocabulary);
  const std::vector<float> fused = runner().feed(tokens);
  EXPECT_TRUE(std::ranges::all_of(fused, [](float x) { return std::isfinite(x); }));
  EXPECT_EQ(runner({.no_fuse = {"all"}}).feed(tokens), fused);
  for (const graph::Pass& pass : graph::fusion_passes()) {
    EXPECT_EQ(runner({.no_fuse = {std::string(pass.name)}}).feed(tokens), fused) << "without " << pass.name;
    // The pass alone: all others off.
    std::vector<std::string> others;
    for (const graph::Pass& other : graph::fusion_passes()) {
      if (other.name != pass.name) others.emplace_back(other.name);
    }
    EXPECT_EQ(runner({.no_fuse = others}).feed(tokens), fused) << pass.name << " alone";
  }
}

TEST_P(ExecutorInvariants, ChunksAndBucketsChangeNoBit) {
  const std::vector<std::int32_t> tokens = some_tokens(70, GetParam().shape.vocabulary);
  const std::vector<float> whole = runner().feed(tokens);
  for (const std::size_t chunk : {1, 7, 32}) {
    test::ModelRunner cut = runner();
    std::vector<float> logits;
    for (std::size_t at = 0; at < tokens.size(); at += chunk) {
      const std::size_t n = std::min(chunk, tokens.size() - at);
      const std::vector<float> more = cut.feed(std::span(tokens).subspan(at, n), static_cast<std::int32_t>(at));
      logits.insert(logits.end(), more.begin(), more.end());
    }
    EXPECT_EQ(logits, whole) << "in chunks of " << chunk;
  }
  const std::vector<float> first(whole.begin(), whole.begin() + GetParam().shape.vocabulary);
  for (std::uint32_t bucket = 1; bucket <= 64; bucket *= 2) {
    EXPECT_EQ(runner().step(std::array{test::Row{tokens[0], 0, 0}}, bucket), first) << "bucket " << bucket;
  }
}

TEST_P(ExecutorInvariants, CompanyChangesNoBit) {
  constexpr std::size_t kEach = 20;
  const std::uint32_t vocabulary = GetParam().shape.vocabulary;
  std::vector<std::vector<float>> alone;
  std::vector<std::vector<std::int32_t>> texts;
  for (std::uint32_t s = 0; s < 3; ++s) {
    texts.push_back(some_tokens(kEach, vocabulary, s + 7));
    alone.push_back(runner().feed(texts.back()));
  }
  // All three in one step, their rows interleaved.
  std::vector<test::Row> rows;
  for (std::size_t i = 0; i < kEach; ++i) {
    for (std::int32_t s = 0; s < 3; ++s) {
      rows.push_back({texts[static_cast<std::size_t>(s)][i], static_cast<std::int32_t>(i), s});
    }
  }
  const std::vector<float> together = runner({.sequences = 3}).step(rows);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto begin = together.begin() + static_cast<std::ptrdiff_t>(r * vocabulary);
    const auto own = alone[r % 3].begin() + static_cast<std::ptrdiff_t>(r / 3 * vocabulary);
    ASSERT_TRUE(std::equal(begin, begin + vocabulary, own)) << "row " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExecutorInvariants, testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace wisp
