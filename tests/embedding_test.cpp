// Embeddings by another way: what the output matrix makes of hidden states are the logits, and pooled vectors are what
// a hand computes from them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "graph/hidden_output.h"
#include "runtime/engine.h"
#include "runtime/pooling.h"
#include "tests/engine_harness.h"
#include "tests/executors.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;

using Rows = std::vector<std::vector<float>>;

std::unique_ptr<Engine> engine_of(gguf::File file, std::unique_ptr<graph::Executor> executor, graph::Output output,
                                  EngineOptions options = {}) {
  options.kv_type = graph::KvType::f32;
  options.output = output;
  options.max_logit_rows = options.row_budget;
  return expect_value(Engine::create(std::move(file), std::move(options), std::move(executor)));
}

Request listen_to_rows(std::vector<TokenId> prompt, Rows& rows, std::uint32_t from = 0) {
  Request request{.prompt = std::move(prompt), .max_new_tokens = 0, .logits_from = from};
  request.on_logits = [&rows](std::uint32_t, std::span<const float> row) { rows.emplace_back(row.begin(), row.end()); };
  return request;
}

// Hidden states or logits of every position.
Rows rows_of(Engine& engine, std::vector<TokenId> prompt, std::uint32_t from = 0) {
  Rows rows;
  EXPECT_TRUE(engine.submit(listen_to_rows(std::move(prompt), rows, from)));
  EXPECT_TRUE(engine.run());
  return rows;
}

// The output matrix as the file has it (f32 here), on hidden states, with the cap of gemma2.
void expect_logits_from_states(const gguf::File& file, const Rows& hidden, const Rows& logits) {
  const gguf::TensorInfo* matrix = file.find("output.weight");
  if (matrix == nullptr) matrix = file.find("token_embd.weight");
  ASSERT_NE(matrix, nullptr);
  ASSERT_EQ(matrix->type, gguf::TensorType::f32);
  const std::size_t width = matrix->dims[0], vocabulary = matrix->rows();
  std::vector<float> weights(width * vocabulary);
  ASSERT_TRUE(file.sources[static_cast<std::size_t>(matrix->split)]->read(matrix->offset,
                                                                          std::as_writable_bytes(std::span(weights))));
  const bool caps = file.metadata.text("general.architecture").value() == "gemma2";
  const double cap = caps ? file.metadata.number_or("gemma2.final_logit_softcapping", 30.0).value() : 0.0;
  ASSERT_EQ(hidden.size(), logits.size());
  double largest = 0.0, worst = 0.0;
  for (std::size_t row = 0; row < hidden.size(); ++row) {
    ASSERT_EQ(hidden[row].size(), width);
    ASSERT_EQ(logits[row].size(), vocabulary);
    for (std::size_t id = 0; id < vocabulary; ++id) {
      double sum = 0.0;
      for (std::size_t i = 0; i < width; ++i) sum += double{weights[id * width + i]} * double{hidden[row][i]};
      if (caps) sum = cap * std::tanh(sum / cap);
      largest = std::max(largest, std::abs(double{logits[row][id]}));
      worst = std::max(worst, std::abs(sum - double{logits[row][id]}));
    }
  }
  EXPECT_GT(largest, 0.0);
  EXPECT_LE(worst, 1e-4 * largest);
}

class EmbeddingTest : public testing::TestWithParam<test::ExecutorKind> {};

TEST_P(EmbeddingTest, TheOutputMatrixMakesLogitsOfStates) {
  for (const test::RandomModelShape& shape : test::shapes_of_every_architecture()) {
    if (shape.type != gguf::TensorType::f32) continue;
    const test::RandomModel model = test::random_model(shape);
    const std::vector<TokenId> prompt = test::random_tokens(20, 3, shape.vocabulary);
    const auto hidden = engine_of(test::open_bytes(model.bytes), GetParam().make(), graph::Output::hidden);
    const auto logits = engine_of(test::open_bytes(model.bytes), GetParam().make(), graph::Output::logits);
    expect_logits_from_states(model.file, rows_of(*hidden, prompt), rows_of(*logits, prompt));
  }
}

TEST_P(EmbeddingTest, TheSameOnReferenceModels) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  for (const char* name : {"llama", "qwen2", "qwen3", "gemma2", "gemma3"}) {
    const auto path = (*data / "models" / (std::string(name) + ".gguf")).string();
    if (!std::filesystem::exists(path)) continue;
    const std::vector<TokenId> prompt = test::random_tokens(6, 5, 500);
    const auto hidden = engine_of(expect_value(gguf::open_model(path)), GetParam().make(), graph::Output::hidden);
    const auto logits = engine_of(expect_value(gguf::open_model(path)), GetParam().make(), graph::Output::logits);
    SCOPED_TRACE(name);
    expect_logits_from_states(expect_value(gguf::open_model(path)), rows_of(*hidden, prompt), rows_of(*logits, prompt));
  }
}

// Not with whom a text is computed, in what pieces, and what was cached before.
TEST_P(EmbeddingTest, StatesDoNotDependOnTheCompany) {
  const test::RandomModel model = test::random_model({.architecture = "qwen3"});
  std::vector<std::vector<TokenId>> prompts;
  for (std::uint32_t i = 0; i < 6; ++i)
    prompts.push_back(test::random_tokens(5 + 17 * i, i / 2, 40));  // with shared starts
  Rows alone[6], together[6];
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto engine = engine_of(test::open_bytes(model.bytes), GetParam().make(), graph::Output::hidden);
    alone[i] = rows_of(*engine, prompts[i]);
    ASSERT_EQ(alone[i].size(), prompts[i].size());
  }
  const auto engine = engine_of(test::open_bytes(model.bytes), GetParam().make(), graph::Output::hidden,
                                {.row_budget = 23, .max_sequences = 3, .prompt_chunk = 9});
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      together[i].clear();
      ASSERT_TRUE(engine->submit(listen_to_rows(prompts[i], together[i])));
    }
    ASSERT_TRUE(engine->run());
    for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_TRUE(test::same_bits(alone[i], together[i])) << i;
  }
  // Only the last state: of what was computed before, the rest is found in the cache.
  const Rows last = rows_of(*engine, prompts[5], static_cast<std::uint32_t>(prompts[5].size()) - 1);
  EXPECT_TRUE(test::same_bits(last, {alone[5].back()}));
  EXPECT_GT(engine->counters().cached_tokens, 0u);
}

std::vector<test::ExecutorKind> some_kinds() {
  std::vector<test::ExecutorKind> kinds = test::executor_kinds();
  if (kinds.size() > 2) kinds.erase(kinds.begin() + 1, kinds.end() - 1);
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(Executors, EmbeddingTest, testing::ValuesIn(some_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST(Embedding, FusingChangesNoBitAndTheMatrixIsNotLoaded) {
  const test::RandomModel model = test::random_model({.architecture = "gemma2", .vocabulary = 400, .tied = false});
  const std::vector<TokenId> prompt = test::random_tokens(30, 3, 40);
  const auto make = [] { return graph::make_scalar_executor(graph::Arithmetic::exact); };
  const auto fused = engine_of(test::open_bytes(model.bytes), make(), graph::Output::hidden);
  const auto plain = engine_of(test::open_bytes(model.bytes), make(), graph::Output::hidden, {.passes_off = {"all"}});
  const auto logits = engine_of(test::open_bytes(model.bytes), make(), graph::Output::logits);
  EXPECT_TRUE(test::same_bits(rows_of(*fused, prompt), rows_of(*plain, prompt)));
  EXPECT_LT(fused->memory()[0].bytes, logits->memory()[0].bytes);
}

TEST(Embedding, AnEngineOfStatesMakesNoTokens) {
  const test::RandomModel model = test::random_model({});
  const auto engine = engine_of(test::open_bytes(model.bytes), graph::make_scalar_executor(graph::Arithmetic::exact),
                                graph::Output::hidden);
  const Result<RequestId> refused = engine->submit({.prompt = {1, 2}, .max_new_tokens = 5});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  graph::Graph foreign;
  EXPECT_EQ(graph::cut_to_hidden(foreign).error().code, Code::unsupported);
}

// ---- pooling ----

std::vector<float> pooled(Pooling pooling, const Rows& rows, bool normalize) {
  const auto n = static_cast<std::uint32_t>(rows.size());
  Pooler pooler(pooling, static_cast<std::uint32_t>(rows[0].size()), n, normalize);
  for (std::uint32_t i = pooler.first_position(); i < n; ++i) pooler.add(i, rows[i]);
  return pooler.finish();
}

TEST(Pooling, IsWhatAHandComputes) {
  const Rows rows = {{1.0f, 2.0f, -2.0f}, {3.0f, 0.0f, 5.0f}, {-1.0f, 4.0f, 0.0f}};
  EXPECT_EQ(pooled(Pooling::mean, rows, false), (std::vector{1.0f, 2.0f, 1.0f}));
  EXPECT_EQ(pooled(Pooling::cls, rows, false), rows[0]);
  EXPECT_EQ(pooled(Pooling::last, rows, false), rows[2]);
  EXPECT_EQ(pooled(Pooling::none, rows, false), (std::vector{1.0f, 2.0f, -2.0f, 3.0f, 0.0f, 5.0f, -1.0f, 4.0f, 0.0f}));
  const std::vector<float> unit = pooled(Pooling::cls, rows, true);
  EXPECT_FLOAT_EQ(unit[0], 1.0f / 3.0f);
  EXPECT_FLOAT_EQ(unit[2], -2.0f / 3.0f);
  const std::vector<float> units = pooled(Pooling::none, rows, true);
  EXPECT_FLOAT_EQ(units[3], 3.0f / std::sqrt(34.0f));
  EXPECT_EQ(pooled(Pooling::mean, {{0.0f, 0.0f}}, true), (std::vector{0.0f, 0.0f}));
}

TEST(Pooling, IsTheFilesUnlessItIsToldOtherwise) {
  gguf::Metadata metadata;
  metadata.set("general.architecture", gguf::Value::text("qwen3"));
  EXPECT_EQ(pooling_of(metadata), Pooling::last);
  for (const auto& [type, pooling] : {std::pair(0u, Pooling::none), std::pair(1u, Pooling::mean),
                                      std::pair(2u, Pooling::cls), std::pair(3u, Pooling::last)}) {
    metadata.set("qwen3.pooling_type", gguf::Value::u32(type));
    EXPECT_EQ(pooling_of(metadata), pooling);
    EXPECT_EQ(parse_pooling(pooling_name(pooling)), pooling);
  }
  metadata.set("qwen3.pooling_type", gguf::Value::u32(4));
  EXPECT_EQ(pooling_of(metadata).error().code, Code::unsupported);
  EXPECT_EQ(parse_pooling("max").error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace wisp::runtime
