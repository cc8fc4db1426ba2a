// Logits and greedy text of the reference models, on every executor. What is compared with what, and how closely:
//   F32 files:        |difference| <= 1e-3 of the largest |logit|, the same argmax
//   quantised files, exact arithmetic: the same, against `logits_exact`
//   quantised files, int8 arithmetic:  RMS distance to `logits_exact` at most 1.25 times the reference's own, on a
//   GPU 1.5 greedy ids:       equal up to the first step whose margin is below 0.02 (F32, exact) or 0.3 (int8)
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "quant/block_format.h"
#include "tests/executors.h"
#include "tests/model_runner.h"
#include "tests/test_data.h"
#ifndef WISP_CPU_TESTS_ONLY
#include "tests/gpu_devices.h"
#endif

namespace wisp {
namespace {

using Json = nlohmann::json;

struct Series {
  std::vector<std::size_t> positions;
  std::vector<float> logits;  // [positions, vocabulary]
};

Series read_series(const std::filesystem::path& folder, const Json& entry) {
  return {entry.at("positions").get<std::vector<std::size_t>>(),
          test::read_floats(folder / entry.at("file").get<std::string>())};
}

// Rows `positions` of [all positions, vocabulary].
std::vector<float> pick(const std::vector<float>& logits, const std::vector<std::size_t>& positions,
                        std::size_t vocabulary) {
  std::vector<float> picked;
  for (const std::size_t p : positions) {
    picked.insert(picked.end(), logits.begin() + static_cast<std::ptrdiff_t>(p * vocabulary),
                  logits.begin() + static_cast<std::ptrdiff_t>((p + 1) * vocabulary));
  }
  return picked;
}

double rms(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

std::int32_t argmax(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin());  // the lowest id wins a tie
}

void expect_close(const std::vector<float>& got, const std::vector<float>& want, std::size_t vocabulary) {
  ASSERT_EQ(got.size(), want.size());
  float largest = 0;
  for (const float x : want) largest = std::max(largest, std::abs(x));
  float worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float difference = std::abs(got[i] - want[i]);
    if (!(difference <= worst)) worst = difference;  // NaN stays
  }
  EXPECT_LE(worst, 1e-3f * largest);
  for (std::size_t row = 0; row < got.size(); row += vocabulary) {
    EXPECT_EQ(argmax(std::span(got).subspan(row, vocabulary)), argmax(std::span(want).subspan(row, vocabulary)))
        << "row " << row / vocabulary;
  }
}

struct Case {
  std::string name;  // file name below logits/ without .json
  test::ExecutorKind executor;
};

const std::set<std::string> kArchitectures = {"llama", "qwen2", "qwen3", "gemma2", "gemma3"};

bool is_runnable(const gguf::File& file) {
  return file.find("blk.0.ffn_gate_inp.weight") == nullptr &&
         std::ranges::all_of(file.tensors, [](const auto& tensor) { return quant::is_supported(tensor.type); });
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto data = test::test_data();
  if (!data) return all;
  for (const auto& entry : std::filesystem::directory_iterator(*data / "logits")) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream in(entry.path());
    const Json golden = Json::parse(in);
    if (!kArchitectures.contains(golden.at("arch").get<std::string>())) continue;
    const auto file = gguf::open_model((*data / golden.at("model").get<std::string>()).string());
    if (!file || !is_runnable(*file)) continue;
    std::vector<test::ExecutorKind> kinds = test::executor_kinds();
#ifndef WISP_CPU_TESTS_ONLY
    // The same on the GPU, one of its drivers.
    for (std::size_t i = 0; i < test::gpu_drivers().size(); ++i) {
      const std::size_t number = std::hash<std::string>{}(entry.path().stem().string());
      if (test::is_turn_of(test::gpu_drivers()[i], number)) kinds.push_back(test::gpu_executor_kinds()[i]);
    }
#endif
    for (const test::ExecutorKind& kind : kinds) {
      const bool quantised = golden.contains("logits_q8act");
      // On F32 files both arithmetics are one.
      if (!quantised && kind.name == "scalar_int8") continue;
      all.push_back({entry.path().stem().string(), kind});
    }
  }
  std::ranges::sort(all, {}, [](const Case& c) { return c.name + c.executor.name; });
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name + "_" + info.param.executor.name;
  std::ranges::replace_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

class GoldenLogits : public testing::TestWithParam<Case> {};

TEST_P(GoldenLogits, MatchTheReference) {
  const std::filesystem::path data = *test::test_data();
  std::ifstream in(data / "logits" / (GetParam().name + ".json"));
  const Json golden = Json::parse(in);
  const bool quantised = golden.contains("logits_q8act");
  const bool int8 = quantised && GetParam().executor.arithmetic == graph::Arithmetic::int8_activations;
  const bool against_exact = golden.contains("logits_exact");

  auto file = test::must(gguf::open_model((data / golden.at("model").get<std::string>()).string()));
  test::RunnerOptions options;
  options.context.context = golden.at("n_ctx").get<std::uint32_t>();
  options.max_positions = options.context.context;
  std::unique_ptr<graph::Executor> executor = GetParam().executor.make();
  if (executor == nullptr) GTEST_SKIP() << GetParam().executor.name << " is not here";
  test::ModelRunner runner(file, std::move(executor), options);
  const auto tokens = golden.at("tokens").get<std::vector<std::int32_t>>();
  const std::size_t vocabulary = runner.vocabulary();
  const std::vector<float> logits = runner.feed(tokens);

  const Series want = read_series(data / "logits", golden.at(against_exact ? "logits_exact" : "logits"));
  const std::vector<float> got = pick(logits, want.positions, vocabulary);
  if (int8) {
    const Series reference = read_series(data / "logits", golden.at("logits_q8act"));
    ASSERT_EQ(got.size(), want.logits.size());
    ASSERT_EQ(reference.positions, want.positions);
    const double own = rms(reference.logits, want.logits);
    EXPECT_LE(rms(got, want.logits), GetParam().executor.rms_factor * own);
    RecordProperty("rms_to_reference_percent", static_cast<int>(100 * rms(got, want.logits) / own));
  } else {
    expect_close(got, want.logits, vocabulary);
  }

  const auto greedy = golden.at(against_exact ? "greedy_exact" : "greedy").get<std::vector<std::int32_t>>();
  const auto margins = golden.at(against_exact ? "greedy_exact_margin" : "greedy_margin").get<std::vector<double>>();
  const double near_tie = int8 ? 0.3 : 0.02;
  std::span<const float> last = std::span(logits).last(vocabulary);
  std::vector<float> step;
  for (std::size_t i = 0; i < greedy.size() && margins[i] >= near_tie; ++i) {
    ASSERT_EQ(argmax(last), greedy[i]) << "at greedy step " << i;
    if (i + 1 == greedy.size()) break;
    step = runner.feed(std::array{greedy[i]}, static_cast<std::int32_t>(tokens.size() + i));
    last = step;
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenLogits);
INSTANTIATE_TEST_SUITE_P(All, GoldenLogits, testing::ValuesIn(cases()), name_of);

// The list above is made from what is there; this one says what must be.
TEST(GoldenLogitsCases, CoverEveryArchitectureAndType) {
  if (!test::test_data()) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  std::set<std::string> names;
  for (const Case& c : cases()) names.insert(c.name);
  for (const char* name :
       {"llama", "llama-rope-linear", "llama-rope-llama3", "llama-rope-yarn", "qwen2", "qwen3", "gemma2", "gemma3",
        "stories260K-f32", "tinystories656k-f32", "stories260K-q4_0", "stories260K-q8_0"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  for (const char* type :
       {"f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"}) {
    EXPECT_TRUE(names.contains("quant-llama-pure-" + std::string(type))) << type;
  }
  for (const char* mix : {"q2_k", "q2_k_s", "q3_k_s", "q3_k_m", "q3_k_l", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m"}) {
    EXPECT_TRUE(names.contains("quant-qwen3-" + std::string(mix))) << mix;
  }
}

}  // namespace
}  // namespace wisp
