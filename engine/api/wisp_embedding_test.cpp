// Embeddings through wisp.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "tests/c_interface.h"
#include "tests/command.h"

namespace wisp::test {
namespace {

using Vector = std::vector<float>;

const std::string kText = "A dog and a cat ran to the park and saw a red ball.";

class CInterfaceEmbeddings : public CInterface {
 protected:
  // Vectors by request.
  std::map<std::uint64_t, Vector> vectors() {
    std::map<std::uint64_t, Vector> found;
    while (wisp_engine_wait_event(engine.get(), event.get(), error.get()) == WISP_OK &&
           wisp_event_kind(event.get()) != WISP_EVENT_NONE) {
      EXPECT_EQ(wisp_event_kind(event.get()), WISP_EVENT_FINISH);
      EXPECT_EQ(wisp_event_finish_reason(event.get()), WISP_FINISH_LENGTH) << wisp_event_message(event.get());
      const float* const vector = wisp_event_embedding(event.get());
      found[wisp_event_request(event.get())] = {vector, vector + wisp_event_embedding_count(event.get())};
    }
    return found;
  }

  std::uint64_t ask(const std::string& text, const std::string& pooling, const Json& more = Json::object()) {
    Json settings = {{"prompt", text}, {"pooling", pooling}};
    settings.update(more);
    return submit(engine, settings.dump());
  }
  Vector vector_of(const std::string& text, const std::string& pooling, const Json& more = Json::object()) {
    const std::uint64_t id = ask(text, pooling, more);
    return vectors()[id];
  }

  wisp_status refusal(const EngineHandle& by, const std::string& settings, const std::string& because) {
    EXPECT_EQ(wisp_engine_submit(by.get(), request_of(settings).get(), error.get()), 0u) << settings;
    EXPECT_NE(std::string(wisp_error_message(error.get())).find(because), std::string::npos)
        << wisp_error_message(error.get());
    return wisp_error_status(error.get());
  }

  ModelHandle model = open();
  EngineHandle engine =
      engine_of(model, R"({"threads": 1, "context": 128, "kv": "f32", "rows": 16, "output": "embeddings"})");
  std::uint32_t width = wisp_engine_embedding_width(engine.get());
};

double length(const Vector& vector) {
  return std::sqrt(std::accumulate(vector.begin(), vector.end(), 0.0,
                                   [](double sum, float x) { return sum + double{x} * double{x}; }));
}

TEST_F(CInterfaceEmbeddings, PoolsWhatNoPoolingShows) {
  ASSERT_GT(width, 0u);
  const Json as_it_is = {{"normalize", false}};
  const Vector each = vector_of(kText, "none");
  const std::size_t n = tokens_of(model, kText, WISP_ADD_SPECIAL).size();
  ASSERT_EQ(each.size(), n * width);
  EXPECT_EQ(vector_of(kText, "cls", as_it_is), Vector(each.begin(), each.begin() + width));
  EXPECT_EQ(vector_of(kText, "last", as_it_is), Vector(each.end() - width, each.end()));
  EXPECT_EQ(vector_of(kText, "model", as_it_is), Vector(each.end() - width, each.end()));
  const Vector mean = vector_of(kText, "mean", as_it_is), scaled = vector_of(kText, "mean");
  ASSERT_EQ(mean.size(), width);
  for (std::size_t i = 0; i < width; ++i) {
    double sum = 0.0;
    for (std::size_t token = 0; token < n; ++token) sum += double{each[token * width + i]};
    EXPECT_NEAR(mean[i], sum / static_cast<double>(n), 1e-5);
    EXPECT_NEAR(scaled[i], mean[i] / length(mean), 1e-5);
  }
  EXPECT_GT(std::abs(length(mean) - 1.0), 0.01);
  EXPECT_NEAR(length(vector_of(kText, "none", {{"normalize", true}})), std::sqrt(static_cast<double>(n)), 1e-4);
}

TEST_F(CInterfaceEmbeddings, ManyTextsAtOnceAreThoseOfTheCommand) {
  const std::vector<std::string> texts = {kText, "A cat sat.", "Once upon a time"};
  std::vector<Vector> alone;
  for (const std::string& text : texts) alone.push_back(vector_of(text, "mean"));
  std::vector<std::uint64_t> ids;
  for (const std::string& text : texts) ids.push_back(ask(text, "mean"));
  auto together = vectors();
  std::vector<std::string> arguments = {"embed", kShipped, "--json", "-q", "--pooling", "mean"};
  for (const std::string& text : texts) arguments.insert(arguments.end(), {"--prompt", text});
  const Json told = Json::parse(run_wisp(arguments).out);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(together[ids[i]], alone[i]) << texts[i];
    EXPECT_EQ(told["texts"][i]["embedding"].get<Vector>(), alone[i]) << texts[i];
  }
  EXPECT_NE(alone[0], alone[1]);
}

TEST_F(CInterfaceEmbeddings, LogitsOrVectorsAndNeverBoth) {
  const EngineHandle of_logits = engine_of(model);
  EXPECT_EQ(wisp_engine_embedding_width(of_logits.get()), 0u);
  EXPECT_EQ(refusal(of_logits, R"({"prompt": "x", "pooling": "last"})", "output is \"embeddings\""),
            WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(engine, R"({"prompt": "x"})", "set pooling"), WISP_ERROR_INVALID_ARGUMENT);
  for (const auto& [name, value] : {std::pair<std::string, Json>{"max_tokens", 5},
                                    {"logits_from", 0},
                                    {"token_logits", true},
                                    {"logprobs", 2},
                                    {"regex", "a"},
                                    {"speculate", "ngram"}}) {
    const Json settings = {{"prompt", "x"}, {"pooling", "last"}, {name, value}};
    EXPECT_EQ(refusal(engine, settings.dump(), name == "regex" ? "grammar" : name), WISP_ERROR_INVALID_ARGUMENT);
  }
  EXPECT_EQ(refusal(engine, R"({"pooling": "last"})", "at least one token"), WISP_ERROR_INVALID_ARGUMENT);
  const Json too_long = {{"prompt", std::vector<int>(129, 5)}, {"pooling", "none"}};
  EXPECT_EQ(refusal(engine, too_long.dump(), "129"), WISP_ERROR_LIMIT);
  EXPECT_EQ(vector_of("x", "last", {{"max_tokens", 0}}).size(), width);
  const Json whole_context = {{"prompt", std::vector<int>(128, 5)}, {"pooling", "last"}};
  submit(engine, whole_context.dump());
  EXPECT_EQ(vectors().begin()->second.size(), width);

  const std::uint64_t parent = ask(kText, "mean");
  const RequestHandle child = request_of(R"({"prompt": "x", "pooling": "mean"})");
  EXPECT_EQ(wisp_engine_fork(engine.get(), parent, child.get(), error.get()), 0u);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(vectors().size(), 1u);
  EXPECT_EQ(wisp_engine_set_draft(of_logits.get(), engine.release(), error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("embeddings"), std::string::npos);
}

TEST_F(CInterfaceEmbeddings, OthersHaveNone) {
  const EngineHandle of_logits = engine_of(model);
  submit(of_logits, R"({"prompt": "Once", "max_tokens": 1, "ignore_end": true})");
  for (const wisp_kind kind : {WISP_EVENT_TOKEN, WISP_EVENT_FINISH}) {
    ASSERT_OK(wisp_engine_wait_event(of_logits.get(), event.get(), error.get()));
    EXPECT_EQ(wisp_event_kind(event.get()), kind);
    EXPECT_EQ(wisp_event_embedding(event.get()), nullptr);
    EXPECT_EQ(wisp_event_embedding_count(event.get()), 0u);
  }
  const std::uint64_t id = ask(kText, "mean");
  ASSERT_OK(wisp_engine_cancel(engine.get(), id, error.get()));
  ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
  EXPECT_EQ(wisp_event_finish_reason(event.get()), WISP_FINISH_CANCELLED);
  EXPECT_EQ(wisp_event_embedding(event.get()), nullptr);
}

// Vectors that nobody pulls stop the steps, as other events do.
TEST_F(CInterfaceEmbeddings, VectorsCountAsEvents) {
  engine = engine_of(
      model, R"({"threads": 1, "context": 128, "max_sequences": 1, "output": "embeddings", "event_memory": 8000})");
  for (int i = 0; i < 6; ++i) ask(kText, "none");
  wisp_step_state state = WISP_STEP_MORE;
  for (int steps = 0; steps < 20 && state == WISP_STEP_MORE; ++steps) {
    ASSERT_OK(wisp_engine_step(engine.get(), &state, error.get()));
  }
  EXPECT_EQ(state, WISP_STEP_FULL);
  EXPECT_EQ(vectors().size(), 6u);
}

TEST_F(CInterfaceEmbeddings, TheOutputMatrixTakesNoMemory) {
  const auto bytes = [&](const char* output) {
    const OptionsHandle options(wisp_options_create());
    EXPECT_OK(wisp_options_set_text(options.get(), "output", output, WISP_TO_NUL, error.get()));
    EXPECT_OK(wisp_model_memory(model.get(), options.get(), buffer.get(), error.get()));
    return json()["total"].get<std::int64_t>();
  };
  EXPECT_LT(bytes("embeddings"), bytes("logits"));
  const OptionsHandle options(wisp_options_create());
  EXPECT_EQ(wisp_options_set_text(options.get(), "output", "vectors", WISP_TO_NUL, error.get()),
            WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("logits, embeddings"), std::string::npos);
}

}  // namespace
}  // namespace wisp::test
