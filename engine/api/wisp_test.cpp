// The C interface through its header alone: the life of a model, of requests and of engines in threads.
#include "api/wisp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/test_data.h"

namespace wisp {
namespace {

using Json = nlohmann::json;

template <class T, void (*destroy)(T*)>
struct Destroy {
  void operator()(T* handle) const { destroy(handle); }
};
using ErrorHandle = std::unique_ptr<wisp_error, Destroy<wisp_error, wisp_error_destroy>>;
using BufferHandle = std::unique_ptr<wisp_buffer, Destroy<wisp_buffer, wisp_buffer_destroy>>;
using SourceHandle = std::unique_ptr<wisp_source, Destroy<wisp_source, wisp_source_destroy>>;
using ModelHandle = std::unique_ptr<wisp_model, Destroy<wisp_model, wisp_model_destroy>>;
using OptionsHandle = std::unique_ptr<wisp_options, Destroy<wisp_options, wisp_options_destroy>>;
using EngineHandle = std::unique_ptr<wisp_engine, Destroy<wisp_engine, wisp_engine_destroy>>;
using RequestHandle = std::unique_ptr<wisp_request, Destroy<wisp_request, wisp_request_destroy>>;
using EventHandle = std::unique_ptr<wisp_event, Destroy<wisp_event, wisp_event_destroy>>;

const std::string kShipped = (test::source_dir() / "models/wisp-stories.gguf").string();
constexpr const char* kStory = "Once upon a time";

#define EXPECT_OK(call) EXPECT_EQ(call, WISP_OK) << wisp_error_message(error.get())
#define ASSERT_OK(call) ASSERT_EQ(call, WISP_OK) << wisp_error_message(error.get())

class CInterface : public testing::Test {
 protected:
  ModelHandle open() {
    ModelHandle model(wisp_model_open_file(kShipped.c_str(), error.get()));
    EXPECT_NE(model, nullptr) << wisp_error_message(error.get());
    return model;
  }

  EngineHandle engine_of(const ModelHandle& model, const std::string& json = R"({"threads": 1, "context": 256})") {
    const OptionsHandle options(wisp_options_create());
    EXPECT_OK(wisp_options_set_json(options.get(), json.data(), json.size(), error.get()));
    EngineHandle engine(wisp_engine_create(model.get(), options.get(), error.get()));
    EXPECT_NE(engine, nullptr) << wisp_error_message(error.get());
    return engine;
  }

  RequestHandle request_of(const std::string& json) {
    RequestHandle request(wisp_request_create());
    EXPECT_OK(wisp_request_set_json(request.get(), json.data(), json.size(), error.get()));
    return request;
  }

  std::uint64_t submit(const EngineHandle& engine, const std::string& json) {
    const std::uint64_t id = wisp_engine_submit(engine.get(), request_of(json).get(), error.get());
    EXPECT_NE(id, 0u) << wisp_error_message(error.get());
    return id;
  }

  struct Answer {
    std::vector<std::int32_t> ids;
    std::string text;
    std::vector<float> logits;
    bool finished = false;
    wisp_finish_reason reason = WISP_FINISH_ERROR;
    std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  };

  void note(const wisp_event* told, std::map<std::uint64_t, Answer>& answers) {
    Answer& answer = answers[wisp_event_request(told)];
    EXPECT_FALSE(answer.finished);
    answer.text.append(wisp_event_text(told), wisp_event_text_size(told));
    const std::span<const float> logits(wisp_event_logits(told), wisp_event_logit_count(told));
    answer.logits.insert(answer.logits.end(), logits.begin(), logits.end());
    if (wisp_event_kind(told) == WISP_EVENT_TOKEN) answer.ids.push_back(wisp_event_token(told));
    if (wisp_event_kind(told) != WISP_EVENT_FINISH) return;
    answer.finished = true;
    answer.reason = wisp_event_finish_reason(told);
    answer.prompt_tokens = wisp_event_figure(told, WISP_FIGURE_PROMPT_TOKENS);
    answer.cached_tokens = wisp_event_figure(told, WISP_FIGURE_CACHED_TOKENS);
    answer.generated_tokens = wisp_event_figure(told, WISP_FIGURE_GENERATED_TOKENS);
    EXPECT_GE(wisp_event_figure(told, WISP_FIGURE_FINISHED_NS), wisp_event_figure(told, WISP_FIGURE_SUBMITTED_NS));
  }

  std::map<std::uint64_t, Answer> finish(const EngineHandle& engine) {
    std::map<std::uint64_t, Answer> answers;
    while (true) {
      const wisp_status status = wisp_engine_wait_event(engine.get(), event.get(), error.get());
      EXPECT_EQ(status, WISP_OK) << wisp_error_message(error.get());
      if (status != WISP_OK || wisp_event_kind(event.get()) == WISP_EVENT_NONE) return answers;
      note(event.get(), answers);
    }
  }

  std::vector<std::int32_t> tokens_of(const ModelHandle& model, const std::string& text, std::uint32_t flags) {
    EXPECT_OK(wisp_model_tokenize(model.get(), text.data(), text.size(), flags, buffer.get(), error.get()));
    const std::int32_t* const ids = wisp_buffer_ids(buffer.get());
    return {ids, ids + wisp_buffer_id_count(buffer.get())};
  }

  Json json() { return Json::parse(wisp_buffer_text(buffer.get())); }

  ErrorHandle error{wisp_error_create()};
  BufferHandle buffer{wisp_buffer_create()};
  EventHandle event{wisp_event_create()};
};

using CInterfaceEngine = CInterface;
using CInterfaceThreads = CInterface;
using CInterfaceHostile = CInterface;

TEST_F(CInterface, StatusesHaveNames) {
  EXPECT_STREQ(wisp_status_name(WISP_OK), "ok");
  EXPECT_STREQ(wisp_status_name(WISP_ERROR_OUT_OF_MEMORY), "out_of_memory");
  EXPECT_STREQ(wisp_status_name(WISP_ERROR_INTERNAL), "internal");
  EXPECT_STREQ(wisp_version(), "0.1.0");
  EXPECT_GE(wisp_abi_version(), 4u);
}

TEST_F(CInterface, AnErrorIsOfTheLastCall) {
  EXPECT_EQ(wisp_model_open_file("/nowhere/to/be/found.gguf", error.get()), nullptr);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_NOT_FOUND);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("found.gguf"), std::string::npos);
  EXPECT_NE(open(), nullptr);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_OK);
  EXPECT_STREQ(wisp_error_message(error.get()), "");
  EXPECT_EQ(wisp_model_open_file("/nowhere", nullptr), nullptr);
}

TEST_F(CInterface, AModelTellsAboutItself) {
  const ModelHandle model = open();
  ASSERT_OK(wisp_model_describe(model.get(), buffer.get(), error.get()));
  const Json told = json();
  EXPECT_EQ(told["architecture"], "llama");
  EXPECT_EQ(told["supported"], true);
  EXPECT_EQ(told["vocabulary"], 4096);
  EXPECT_EQ(told["chat_template"], true);
  EXPECT_EQ(wisp_model_has_chat_template(model.get()), 1);
  for (const Json& key : told["keys"]) {
    const std::string name = key;
    ASSERT_OK(wisp_model_metadata(model.get(), name.data(), name.size(), buffer.get(), error.get())) << name;
    EXPECT_NO_THROW(json()) << name;
  }
  ASSERT_OK(wisp_model_metadata(model.get(), "tokenizer.ggml.tokens", WISP_TO_NUL, buffer.get(), error.get()));
  EXPECT_EQ(json().size(), 4096u);
  EXPECT_EQ(wisp_model_metadata(model.get(), "no.such.key", WISP_TO_NUL, buffer.get(), error.get()),
            WISP_ERROR_NOT_FOUND);
}

TEST_F(CInterface, MemoryIsToldBeforeItIsTaken) {
  const ModelHandle model = open();
  ASSERT_OK(wisp_model_memory(model.get(), nullptr, buffer.get(), error.get()));
  const Json needs = json();
  EXPECT_GT(needs["weights"], 1'000'000);
  EXPECT_EQ(needs["total"], needs["weights"].get<int>() + needs["kv"].get<int>() + needs["activations"].get<int>() +
                                needs["vocabulary"].get<int>());
  std::uint32_t all = 0, none = 1;
  ASSERT_OK(wisp_model_fit(model.get(), nullptr, std::uint64_t{1} << 40, &all, error.get()));
  ASSERT_OK(wisp_model_fit(model.get(), nullptr, 1, &none, error.get()));
  EXPECT_GE(all, 256u);
  EXPECT_EQ(none, 0u);
}

TEST_F(CInterface, TokensAndTextAreInverse) {
  const ModelHandle model = open();
  for (const std::string text : {"Once upon a time", " two  spaces\n", "Zoë 🙂 日本", ""}) {
    const std::vector<std::int32_t> ids = tokens_of(model, text, 0);
    ASSERT_OK(wisp_model_detokenize(model.get(), ids.data(), ids.size(), 0, buffer.get(), error.get()));
    EXPECT_EQ(std::string(wisp_buffer_text(buffer.get()), wisp_buffer_size(buffer.get())), text);
  }
  const std::string marked = "<|user|>Hi";
  EXPECT_LT(tokens_of(model, marked, WISP_PARSE_SPECIAL).size(), tokens_of(model, marked, 0).size());
  const std::int32_t outside = 4096;
  EXPECT_EQ(wisp_model_detokenize(model.get(), &outside, 1, 0, buffer.get(), error.get()), WISP_ERROR_INVALID_ARGUMENT);
}

TEST_F(CInterface, MessagesBecomeAPrompt) {
  const ModelHandle model = open();
  const std::string messages =
      R"([{"role": "user", "content": [{"type": "text", "text": "Tell me "}, {"type": "text", "text": "a story."}]}])";
  ASSERT_OK(wisp_model_chat_text(model.get(), messages.data(), messages.size(), 0, buffer.get(), error.get()));
  const std::string text = wisp_buffer_text(buffer.get());
  EXPECT_NE(text.find("<|user|>"), std::string::npos);
  EXPECT_NE(text.find("Tell me a story."), std::string::npos);
  ASSERT_OK(wisp_model_chat_prompt(model.get(), messages.data(), messages.size(), 0, buffer.get(), error.get()));
  const std::vector<std::int32_t> ids(wisp_buffer_ids(buffer.get()),
                                      wisp_buffer_ids(buffer.get()) + wisp_buffer_id_count(buffer.get()));
  ASSERT_OK(wisp_model_detokenize(model.get(), ids.data(), ids.size(), 0, buffer.get(), error.get()));
  EXPECT_NE(std::string(wisp_buffer_text(buffer.get())).find(text), std::string::npos);
  ASSERT_OK(wisp_model_chat_text(model.get(), messages.data(), messages.size(), WISP_NO_ANSWER_PROMPT, buffer.get(),
                                 error.get()));
  EXPECT_LT(wisp_buffer_size(buffer.get()), text.size());
}

// One request after the other, and all of them at once: the same tokens; none of them hears of another's end.
TEST_F(CInterfaceEngine, RequestsDoNotDependOnTheirCompany) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const std::vector<std::string> asked = {
      R"({"prompt": "Once upon a time", "temperature": 0, "max_tokens": 12})",
      R"({"prompt": "The dog ran to the park", "temperature": 1, "seed": 7, "max_tokens": 9, "ignore_end": true})",
      R"({"messages": [{"role": "user", "content": "Tell me a story about a cat."}], "seed": 3, "max_tokens": 10})"};
  std::vector<Answer> alone;
  for (const std::string& json : asked) {
    const std::uint64_t id = submit(engine, json);
    alone.push_back(finish(engine)[id]);
    EXPECT_TRUE(alone.back().finished);
    EXPECT_EQ(alone.back().generated_tokens, alone.back().ids.size());
    EXPECT_GT(alone.back().ids.size(), 0u);
  }
  EXPECT_EQ(alone[0].reason, WISP_FINISH_LENGTH);
  EXPECT_EQ(alone[0].ids.size(), 12u);
  std::vector<std::uint64_t> ids;
  for (const std::string& json : asked) ids.push_back(submit(engine, json));
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{4, 5, 6}));  // counted from 1
  const auto together = finish(engine);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(together.at(ids[i]).ids, alone[i].ids) << asked[i];
    EXPECT_EQ(together.at(ids[i]).text, alone[i].text);
  }
  // The text is that of the tokens.
  ASSERT_OK(wisp_model_detokenize(model.get(), alone[0].ids.data(), alone[0].ids.size(), WISP_HIDE_SPECIAL,
                                  buffer.get(), error.get()));
  EXPECT_EQ(alone[0].text, wisp_buffer_text(buffer.get()));
}

TEST_F(CInterfaceEngine, SettersAndJsonAreTheSame) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const std::uint64_t by_json = submit(
      engine,
      R"({"prompt": "Once upon a time", "temperature": 0.9, "top_k": 30, "seed": 5, "stop": ["."], "max_tokens": 60,
          "logit_bias": {"5": 1.5}})");
  const RequestHandle request(wisp_request_create());
  ASSERT_OK(wisp_request_set_text(request.get(), "prompt", kStory, WISP_TO_NUL, error.get()));
  ASSERT_OK(wisp_request_set_number(request.get(), "temperature", 0.9, error.get()));
  ASSERT_OK(wisp_request_set_integer(request.get(), "top_k", 30, error.get()));
  ASSERT_OK(wisp_request_set_integer(request.get(), "seed", 5, error.get()));
  ASSERT_OK(wisp_request_set_integer(request.get(), "max_tokens", 60, error.get()));
  ASSERT_OK(wisp_request_set_text(request.get(), "stop", ".", 1, error.get()));
  ASSERT_OK(wisp_request_add_logit_bias(request.get(), 5, 1.5f, error.get()));
  const std::uint64_t by_setters = wisp_engine_submit(engine.get(), request.get(), error.get());
  auto answers = finish(engine);
  EXPECT_EQ(answers[by_json].ids, answers[by_setters].ids);
  EXPECT_EQ(answers[by_json].reason, WISP_FINISH_STOP_STRING);
  EXPECT_EQ(answers[by_json].text.find('.'), std::string::npos);
  EXPECT_FALSE(answers[by_json].text.empty());
}

TEST_F(CInterfaceEngine, LogitsOfEveryPosition) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model, R"({"threads": 1, "context": 256, "kv": "f32", "rows": 3,
                                                   "max_sequences": 2})");
  const std::uint32_t vocabulary = wisp_engine_vocabulary(engine.get());
  EXPECT_EQ(wisp_engine_max_positions(engine.get()), 256u);
  const std::uint64_t id = submit(
      engine,
      R"({"prompt": "Once upon a time", "temperature": 0, "max_tokens": 4, "logits_from": 0, "token_logits": 1})");
  const Answer answer = finish(engine)[id];
  const std::size_t prompt = answer.prompt_tokens;
  ASSERT_EQ(answer.logits.size(), (prompt + 4) * vocabulary);
  for (std::size_t i = 0; i < 4; ++i) {  // those of the last position of the prompt come twice
    const auto row = std::span(answer.logits).subspan((prompt + i) * vocabulary, vocabulary);
    EXPECT_EQ(std::ranges::max_element(row) - row.begin(), answer.ids[i]);
  }
  EXPECT_TRUE(std::ranges::equal(std::span(answer.logits).subspan((prompt - 1) * vocabulary, vocabulary),
                                 std::span(answer.logits).subspan(prompt * vocabulary, vocabulary)));
}

TEST_F(CInterfaceEngine, CancelInTheMiddle) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const std::uint64_t id = submit(engine, R"({"prompt": "Once upon a time", "ignore_end": true})");
  const std::uint64_t other = submit(engine, R"({"prompt": "A dog", "ignore_end": true, "max_tokens": 30})");
  std::map<std::uint64_t, Answer> answers;
  while (answers[id].ids.size() < 5) {
    ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
    note(event.get(), answers);
  }
  ASSERT_OK(wisp_engine_cancel(engine.get(), id, error.get()));
  EXPECT_EQ(wisp_engine_cancel(engine.get(), id, error.get()), WISP_ERROR_NOT_FOUND);
  while (!answers[id].finished || !answers[other].finished) {
    ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
    ASSERT_NE(wisp_event_kind(event.get()), WISP_EVENT_NONE);
    note(event.get(), answers);
  }
  EXPECT_EQ(answers[id].reason, WISP_FINISH_CANCELLED);
  EXPECT_LT(answers[id].ids.size(), 8u);
  EXPECT_EQ(answers[other].ids.size(), 30u);
}

TEST_F(CInterfaceEngine, AForkGoesOnFromItsParent) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const std::uint64_t parent =
      submit(engine, R"({"prompt": "Once upon a time", "temperature": 0, "ignore_end": true, "max_tokens": 20})");
  std::map<std::uint64_t, Answer> answers;
  while (answers[parent].ids.size() < 6) {
    ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
    note(event.get(), answers);
  }
  const RequestHandle asked = request_of(R"({"temperature": 0, "ignore_end": true, "max_tokens": 14})");
  const std::uint64_t child = wisp_engine_fork(engine.get(), parent, asked.get(), error.get());
  ASSERT_NE(child, 0u) << wisp_error_message(error.get());
  EXPECT_EQ(wisp_engine_fork(engine.get(), 999, asked.get(), error.get()), 0u);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_NOT_FOUND);
  const std::size_t before = answers[parent].ids.size();
  for (auto& [id, answer] : finish(engine)) {
    answers[id].ids.insert(answers[id].ids.end(), answer.ids.begin(), answer.ids.end());
  }
  const std::span<const std::int32_t> rest = std::span(answers[parent].ids).subspan(before);
  const std::size_t common = std::min(rest.size(), answers[child].ids.size());
  EXPECT_GE(common, 10u);
  EXPECT_TRUE(std::ranges::equal(rest.first(common), std::span(answers[child].ids).first(common)));
}

// Saved in the middle and at the end, by one engine, and gone on with by another; guessing ahead changes nothing.
TEST_F(CInterfaceEngine, ASavedSequenceGoesOnElsewhere) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model), other = engine_of(model);
  const std::string base = R"("temperature": 0, "ignore_end": true, )";
  const std::uint64_t whole = submit(engine, R"({"prompt": "Once upon a time", )" + base + R"("max_tokens": 16})");
  const std::vector<std::int32_t> expected = finish(engine)[whole].ids;
  const std::uint64_t id =
      submit(engine, R"({"prompt": "Once upon a time", )" + base + R"("max_tokens": 6, "keep_state": true})");
  for (int told = 0; wisp_event_kind(event.get()) != WISP_EVENT_FINISH; ++told) {
    if (told == 3) ASSERT_OK(wisp_engine_save(engine.get(), id, buffer.get(), error.get()));
    ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
  }
  EXPECT_GT(wisp_buffer_size(buffer.get()), 1000u);
  ASSERT_OK(wisp_event_state(event.get(), buffer.get(), error.get()));
  const RequestHandle request = request_of("{" + base + R"("max_tokens": 10, "speculate": "ngram", "most_drafts": 4})");
  ASSERT_OK(wisp_request_set_state(request.get(), wisp_buffer_data(buffer.get()), wisp_buffer_size(buffer.get()),
                                   error.get()));
  std::vector<std::int32_t> prompt = tokens_of(model, "Once upon a time", WISP_ADD_SPECIAL);
  prompt.insert(prompt.end(), expected.begin(), expected.begin() + 6);
  ASSERT_OK(wisp_request_set_prompt(request.get(), prompt.data(), prompt.size(), error.get()));
  const std::uint64_t rest = wisp_engine_submit(other.get(), request.get(), error.get());
  ASSERT_NE(rest, 0u) << wisp_error_message(error.get());
  const Answer answer = finish(other)[rest];
  EXPECT_TRUE(std::ranges::equal(answer.ids, std::span(expected).subspan(6)));
  EXPECT_GE(answer.cached_tokens, 5u);
  EXPECT_EQ(wisp_request_set_state(request.get(), "nonsense", 8, error.get()), WISP_ERROR_INVALID_FILE);
  EXPECT_EQ(wisp_event_state(event.get(), buffer.get(), error.get()), WISP_ERROR_NOT_FOUND);
}

TEST_F(CInterfaceEngine, ADraftModelGuesses) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const std::string asked = R"({"prompt": "Once upon a time", "temperature": 0, "max_tokens": 16, "speculate": )";
  const std::uint64_t plain = submit(engine, asked + R"("off"})");
  const std::vector<std::int32_t> expected = finish(engine)[plain].ids;
  EXPECT_EQ(wisp_engine_set_draft(engine.get(), engine.get(), error.get()), WISP_ERROR_INVALID_ARGUMENT);
  ASSERT_OK(wisp_engine_set_draft(engine.get(), engine_of(model).release(), error.get()));
  const std::uint64_t guessed = submit(engine, asked + R"("model"})");
  EXPECT_EQ(finish(engine)[guessed].ids, expected);
}

TEST_F(CInterfaceEngine, ProbabilitiesOfTokens) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  submit(engine, R"({"prompt": "Once upon a time", "temperature": 0, "max_tokens": 1, "logprobs": 3,
                     "typical_p": 1, "mirostat": false})");
  ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
  ASSERT_OK(wisp_event_logprobs(event.get(), buffer.get(), error.get()));
  const Json told = json();
  ASSERT_EQ(told["top"].size(), 3u);
  EXPECT_EQ(told["top"][0]["token"], wisp_event_token(event.get()));
  EXPECT_EQ(told["top"][0]["logprob"], told["logprob"]);
  EXPECT_LE(told["logprob"], 0);
  ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
  EXPECT_EQ(wisp_event_logprobs(event.get(), buffer.get(), error.get()), WISP_ERROR_NOT_FOUND);
}

TEST_F(CInterfaceEngine, TextObeysAGrammar) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const std::uint64_t schema = submit(engine, R"({"prompt": "A cat", "temperature": 1, "max_tokens": 60,
      "json_schema": {"type": "object", "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 9}},
                      "required": ["age"], "additionalProperties": false}})");
  const std::uint64_t regex = submit(engine, R"({"prompt": "A cat", "regex": "[0-9]{3}-[0-9]{2}", "max_tokens": 20})");
  const std::uint64_t gbnf = submit(engine, R"({"prompt": "A cat", "grammar": "root ::= \"yes\" | \"no\""})");
  auto answers = finish(engine);
  EXPECT_GE(Json::parse(answers[schema].text).at("age"), 1);
  EXPECT_EQ(answers[regex].text.size(), 6u);
  EXPECT_TRUE(answers[gbnf].text == "yes" || answers[gbnf].text == "no") << answers[gbnf].text;
  for (auto& [id, answer] : answers) EXPECT_EQ(answer.reason, WISP_FINISH_END_TOKEN) << id;
  const RequestHandle wrong = request_of(R"({"prompt": "A cat", "regex": "("})");
  EXPECT_EQ(wisp_engine_submit(engine.get(), wrong.get(), error.get()), 0u);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_INVALID_ARGUMENT);
}

TEST_F(CInterfaceEngine, StepByStep) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  int ready = 0;
  ASSERT_OK(wisp_engine_ready(engine.get(), &ready, error.get()));
  EXPECT_EQ(ready, 1);
  wisp_step_state state = WISP_STEP_MORE;
  ASSERT_OK(wisp_engine_step(engine.get(), &state, error.get()));
  EXPECT_EQ(state, WISP_STEP_FINISHED);
  submit(engine, R"({"prompt": "Once upon a time", "max_tokens": 3, "ignore_end": true})");
  int steps = 0;
  do {
    ASSERT_OK(wisp_engine_step(engine.get(), &state, error.get()));
    ++steps;
  } while (state == WISP_STEP_MORE);
  EXPECT_EQ(state, WISP_STEP_FINISHED);
  EXPECT_EQ(steps, 3);
  for (const wisp_kind kind :
       {WISP_EVENT_TOKEN, WISP_EVENT_TOKEN, WISP_EVENT_TOKEN, WISP_EVENT_FINISH, WISP_EVENT_NONE}) {
    ASSERT_OK(wisp_engine_next_event(engine.get(), event.get(), error.get()));
    EXPECT_EQ(wisp_event_kind(event.get()), kind);
  }
}

// Who never pulls gets no more than a bounded number of events.
TEST_F(CInterfaceEngine, EventsThatNobodyPullsStopTheSteps) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model, R"({"threads": 1, "context": 256, "event_memory": 1000000})");
  // 16 KiB of logits for each position.
  for (int i = 0; i < 6; ++i) {
    submit(engine, R"({"prompt": "A dog and a cat ran to the park and saw a red ball.", "max_tokens": 0,
                       "logits_from": 0, "salt": )" +
                       std::to_string(i) + "}");
  }
  wisp_step_state state = WISP_STEP_MORE;
  for (int steps = 0; steps < 10 && state == WISP_STEP_MORE; ++steps) {
    ASSERT_OK(wisp_engine_step(engine.get(), &state, error.get()));
  }
  EXPECT_EQ(state, WISP_STEP_FULL);
  EXPECT_EQ(finish(engine).size(), 6u);  // pulling goes on with them
}

TEST_F(CInterfaceEngine, ReportsAreJson) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  std::string trace;
  const auto append = [](void* context, const char* bytes, size_t count) {
    static_cast<std::string*>(context)->append(bytes, count);
  };
  ASSERT_OK(wisp_engine_start_trace(engine.get(), append, &trace, error.get()));
  submit(engine, R"({"prompt": "Once upon a time", "max_tokens": 5, "ignore_end": true})");
  finish(engine);
  ASSERT_OK(wisp_engine_stop_trace(engine.get(), error.get()));
  EXPECT_GT(Json::parse(trace).size(), 10u);
  ASSERT_OK(wisp_engine_counters(engine.get(), buffer.get(), error.get()));
  EXPECT_EQ(json()["generated_tokens"], 5);
  EXPECT_EQ(json()["running"], 0);
  ASSERT_OK(wisp_engine_memory(engine.get(), buffer.get(), error.get()));
  EXPECT_GT(json()["weights"], 1'000'000);
  EXPECT_EQ(json()["kv_blocks"].size(), 1u);
  ASSERT_OK(wisp_engine_describe(engine.get(), buffer.get(), error.get()));
  EXPECT_EQ(json()["executor"].get<std::string>().substr(0, 3), "cpu");
  ASSERT_OK(wisp_engine_set_profiling(engine.get(), 1, error.get()));
  submit(engine, R"({"prompt": "Once", "max_tokens": 2, "ignore_end": true})");
  finish(engine);
  ASSERT_OK(wisp_engine_profile(engine.get(), buffer.get(), error.get()));
  EXPECT_GT(json().at(0)["calls"], 0);
  const BufferHandle text(wisp_buffer_create());
  ASSERT_OK(wisp_engine_take_text(engine.get(), buffer.get(), text.get(), error.get()));
  EXPECT_EQ(wisp_buffer_size(buffer.get()), 0u);  // nothing to keep about a CPU
}

// ---- sources ----

// The same tokens from a file, from memory, from a reader and from pieces; models and engines outlive their handles.
TEST_F(CInterface, EverySourceGivesTheSameModel) {
  const std::vector<std::byte> bytes = test::read_bytes(kShipped);
  const auto read = [](void* context, std::uint64_t offset, void* out, size_t count) {
    const auto& all = *static_cast<const std::vector<std::byte>*>(context);
    std::memcpy(out, all.data() + offset, count);
    return WISP_OK;
  };
  std::vector<SourceHandle> sources;
  sources.emplace_back(wisp_source_from_file(kShipped.c_str(), error.get()));
  sources.emplace_back(wisp_source_from_memory(bytes.data(), bytes.size(), error.get()));
  sources.emplace_back(
      wisp_source_from_reader(read, const_cast<std::vector<std::byte>*>(&bytes), bytes.size(), error.get()));
  sources.emplace_back(wisp_source_from_pieces(bytes.size(), error.get()));

  // In pieces: first what the header needs, then the rest, last piece first.
  wisp_source* const fed = sources.back().get();
  int missed = 0;
  while (true) {
    const ModelHandle model(wisp_model_open(fed, error.get()));
    if (model != nullptr) {
      EXPECT_EQ(wisp_engine_create(model.get(), nullptr, error.get()), nullptr);
      EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_NEED_MORE_DATA);
      break;
    }
    ASSERT_EQ(wisp_error_status(error.get()), WISP_ERROR_NEED_MORE_DATA) << wisp_error_message(error.get());
    std::uint64_t offset = 0, count = 0;
    ASSERT_OK(wisp_source_wanted(fed, &offset, &count, error.get()));
    ASSERT_LE(offset + count, bytes.size());
    ASSERT_OK(wisp_source_feed(fed, offset, bytes.data() + offset, count, error.get()));
    ASSERT_LT(++missed, 100);
  }
  EXPECT_GT(missed, 0);
  for (std::size_t end = bytes.size(); end > 0;) {
    const std::size_t begin = end - std::min<std::size_t>(end, 700'001);
    ASSERT_OK(wisp_source_feed(fed, begin, bytes.data() + begin, end - begin, error.get()));
    end = begin;
  }

  std::vector<std::int32_t> expected;
  for (SourceHandle& source : sources) {
    ModelHandle model(wisp_model_open(source.get(), error.get()));
    ASSERT_NE(model, nullptr) << wisp_error_message(error.get());
    const EngineHandle engine = engine_of(model);
    if (source.get() == fed) ASSERT_OK(wisp_source_discard(fed, error.get()));
    if (source != sources.front()) EXPECT_GT(wisp_source_bytes_read(source.get()), bytes.size() / 2);
    source.reset();
    model.reset();
    const std::uint64_t id = submit(engine, R"({"prompt": "Once upon a time", "temperature": 0, "max_tokens": 8})");
    const std::vector<std::int32_t> ids = finish(engine)[id].ids;
    EXPECT_EQ(ids.size(), 8u);
    if (expected.empty()) expected = ids;
    EXPECT_EQ(ids, expected);
  }
}

TEST_F(CInterface, AReaderThatFailsIsHeard) {
  const auto read = [](void*, std::uint64_t, void*, size_t) { return WISP_ERROR_DEVICE; };
  const SourceHandle source(wisp_source_from_reader(read, nullptr, 1000, error.get()));
  EXPECT_EQ(wisp_model_open(source.get(), error.get()), nullptr);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_DEVICE);
}

TEST_F(CInterface, LoadingTellsAndCanBeStopped) {
  const ModelHandle model = open();
  const OptionsHandle options(wisp_options_create());
  int calls = 0;
  const auto stop = [](void* context, std::uint64_t done, std::uint64_t total) {
    *static_cast<int*>(context) += 1;
    return done <= total ? 1 : 0;
  };
  ASSERT_OK(wisp_options_on_load(options.get(), stop, &calls, error.get()));
  EXPECT_EQ(wisp_engine_create(model.get(), options.get(), error.get()), nullptr);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_CANCELLED);
  EXPECT_EQ(calls, 1);
}

// Remarks go to the engine's own listener, and to no other.
TEST_F(CInterface, RemarksGoToWhoAskedForThem) {
  const ModelHandle model = open();
  const auto log = [](void* context, int level, const char* text, size_t length) {
    EXPECT_EQ(level, 2);
    static_cast<std::string*>(context)->append(text, length);
  };
  std::string heard[2];
  for (int i = 0; i < 2; ++i) {
    const OptionsHandle options(wisp_options_create());
    ASSERT_OK(wisp_options_on_log(options.get(), log, &heard[i], error.get()));
    // The second has to make do with less than it may take.
    const std::string json = i == 0 ? R"({"threads": 1})" : R"({"threads": 1, "memory_limit": 30000000})";
    ASSERT_OK(wisp_options_set_json(options.get(), json.data(), json.size(), error.get()));
    const EngineHandle engine(wisp_engine_create(model.get(), options.get(), error.get()));
    ASSERT_NE(engine, nullptr) << wisp_error_message(error.get());
  }
  EXPECT_EQ(heard[0], "");
  EXPECT_NE(heard[1].find("keys and values"), std::string::npos) << heard[1];
}

TEST_F(CInterface, CallbacksMayNotCallTheirEngine) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  struct Context {
    wisp_engine* engine;
    wisp_status status = WISP_OK;
  } context{engine.get()};
  const auto trace = [](void* raw, const char*, size_t) {
    auto* const own = static_cast<Context*>(raw);
    own->status = wisp_engine_step(own->engine, nullptr, nullptr);
  };
  ASSERT_OK(wisp_engine_start_trace(engine.get(), trace, &context, error.get()));
  submit(engine, R"({"prompt": "Once", "max_tokens": 1})");
  finish(engine);
  EXPECT_EQ(context.status, WISP_ERROR_INVALID_ARGUMENT);
  ASSERT_OK(wisp_engine_stop_trace(engine.get(), error.get()));
}

// ---- threads ----

// Two engines of one model, each in a thread of its own.
TEST_F(CInterfaceThreads, EnginesRunSideBySide) {
  const ModelHandle model = open();
  std::vector<std::int32_t> made[2];
  std::vector<std::thread> threads;
  for (auto& ids : made) {
    threads.emplace_back([&] {
      const ErrorHandle own(wisp_error_create());
      const EventHandle told(wisp_event_create());
      const OptionsHandle options(wisp_options_create());
      wisp_options_set_integer(options.get(), "threads", 2, own.get());
      wisp_options_set_integer(options.get(), "context", 128, own.get());
      const EngineHandle engine(wisp_engine_create(model.get(), options.get(), own.get()));
      const RequestHandle request(wisp_request_create());
      wisp_request_set_text(request.get(), "prompt", kStory, WISP_TO_NUL, own.get());
      wisp_request_set_integer(request.get(), "max_tokens", 10, own.get());
      ASSERT_NE(wisp_engine_submit(engine.get(), request.get(), own.get()), 0u) << wisp_error_message(own.get());
      while (wisp_engine_wait_event(engine.get(), told.get(), own.get()) == WISP_OK &&
             wisp_event_kind(told.get()) != WISP_EVENT_NONE) {
        if (wisp_event_kind(told.get()) == WISP_EVENT_TOKEN) ids.push_back(wisp_event_token(told.get()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made[0].size(), 10u);
  EXPECT_EQ(made[0], made[1]);
}

// One thread pulls, others submit, cancel and ask meanwhile; each request ends exactly once.
TEST_F(CInterfaceThreads, AnEngineIsCalledFromSeveral) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model, R"({"threads": 1, "context": 64, "max_sequences": 4})");
  constexpr int kCallers = 3, kEach = 4;
  std::atomic<int> left = kCallers;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      const ErrorHandle own(wisp_error_create());
      const BufferHandle told(wisp_buffer_create());
      const RequestHandle request(wisp_request_create());
      wisp_request_set_text(request.get(), "prompt", kStory, WISP_TO_NUL, own.get());
      wisp_request_set_integer(request.get(), "max_tokens", 6, own.get());
      for (int i = 0; i < kEach; ++i) {
        const std::uint64_t id = wisp_engine_submit(engine.get(), request.get(), own.get());
        EXPECT_NE(id, 0u) << wisp_error_message(own.get());
        if (caller == 0) wisp_engine_cancel(engine.get(), id, own.get());  // may be too late
        EXPECT_EQ(wisp_engine_counters(engine.get(), told.get(), own.get()), WISP_OK);
        EXPECT_EQ(wisp_model_tokenize(model.get(), kStory, WISP_TO_NUL, 0, told.get(), own.get()), WISP_OK);
      }
      --left;
    });
  }
  std::map<std::uint64_t, Answer> answers;
  bool idle = false;
  while (left > 0 || !idle) {
    const bool was_last = left == 0;
    ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
    idle = was_last && wisp_event_kind(event.get()) == WISP_EVENT_NONE;
    if (wisp_event_kind(event.get()) != WISP_EVENT_NONE) note(event.get(), answers);
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answers.size(), std::size_t{kCallers * kEach});
  for (const auto& [id, answer] : answers) EXPECT_TRUE(answer.finished) << id;
}

// ---- what makes no sense ----

TEST_F(CInterfaceHostile, NullIsRefused) {
  std::uint64_t number = 0;
  std::uint32_t context = 0;
  int ready = 0;
  wisp_step_state state = WISP_STEP_MORE;
  wisp_error* const e = error.get();
  const std::vector<wisp_status> statuses = {
      wisp_source_feed(nullptr, 0, nullptr, 0, e),
      wisp_source_wanted(nullptr, &number, &number, e),
      wisp_source_discard(nullptr, e),
      wisp_model_describe(nullptr, buffer.get(), e),
      wisp_model_metadata(nullptr, "x", 1, buffer.get(), e),
      wisp_model_memory(nullptr, nullptr, buffer.get(), e),
      wisp_model_fit(nullptr, nullptr, 1, &context, e),
      wisp_model_tokenize(nullptr, "x", 1, 0, buffer.get(), e),
      wisp_model_detokenize(nullptr, nullptr, 0, 0, buffer.get(), e),
      wisp_model_chat_prompt(nullptr, "[]", 2, 0, buffer.get(), e),
      wisp_model_chat_text(nullptr, "[]", 2, 0, buffer.get(), e),
      wisp_options_set_integer(nullptr, "context", 1, e),
      wisp_options_set_text(nullptr, "kv", "f16", 3, e),
      wisp_options_set_json(nullptr, "{}", 2, e),
      wisp_options_on_log(nullptr, nullptr, nullptr, e),
      wisp_options_on_load(nullptr, nullptr, nullptr, e),
      wisp_options_put_text(nullptr, "x", 1, "x", 1, e),
      wisp_engine_cancel(nullptr, 1, e),
      wisp_engine_step(nullptr, &state, e),
      wisp_engine_next_event(nullptr, event.get(), e),
      wisp_engine_wait_event(nullptr, event.get(), e),
      wisp_engine_ready(nullptr, &ready, e),
      wisp_engine_counters(nullptr, buffer.get(), e),
      wisp_engine_memory(nullptr, buffer.get(), e),
      wisp_engine_describe(nullptr, buffer.get(), e),
      wisp_engine_set_profiling(nullptr, 1, e),
      wisp_engine_profile(nullptr, buffer.get(), e),
      wisp_engine_start_trace(nullptr, nullptr, nullptr, e),
      wisp_engine_stop_trace(nullptr, e),
      wisp_engine_take_text(nullptr, buffer.get(), buffer.get(), e),
      wisp_request_set_prompt(nullptr, nullptr, 0, e),
      wisp_request_set_integer(nullptr, "seed", 1, e),
      wisp_request_set_number(nullptr, "top_p", 1, e),
      wisp_request_set_text(nullptr, "stop", "x", 1, e),
      wisp_request_add_logit_bias(nullptr, 1, 1, e),
      wisp_request_set_json(nullptr, "{}", 2, e),
  };
  for (std::size_t i = 0; i < statuses.size(); ++i) EXPECT_EQ(statuses[i], WISP_ERROR_INVALID_ARGUMENT) << i;
  EXPECT_EQ(wisp_model_open(nullptr, e), nullptr);
  EXPECT_EQ(wisp_model_open_file(nullptr, e), nullptr);
  EXPECT_EQ(wisp_source_from_file(nullptr, e), nullptr);
  EXPECT_EQ(wisp_source_from_memory(nullptr, 10, e), nullptr);
  EXPECT_EQ(wisp_source_from_reader(nullptr, nullptr, 10, e), nullptr);
  EXPECT_EQ(wisp_engine_create(nullptr, nullptr, e), nullptr);
  EXPECT_EQ(wisp_engine_submit(nullptr, nullptr, e), 0u);
  EXPECT_EQ(wisp_engine_fork(nullptr, 1, nullptr, e), 0u);
  EXPECT_EQ(wisp_error_status(e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_error_status(nullptr), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(wisp_error_message(nullptr), "");
  EXPECT_EQ(wisp_buffer_data(nullptr), nullptr);
  EXPECT_EQ(wisp_buffer_size(nullptr), 0u);
  EXPECT_STREQ(wisp_buffer_text(nullptr), "");
  EXPECT_EQ(wisp_buffer_id_count(nullptr), 0u);
  EXPECT_EQ(wisp_event_kind(nullptr), WISP_EVENT_NONE);
  EXPECT_STREQ(wisp_event_text(nullptr), "");
  EXPECT_EQ(wisp_event_logits(nullptr), nullptr);
  EXPECT_EQ(wisp_event_figure(nullptr, WISP_FIGURE_PROMPT_TOKENS), 0u);
  EXPECT_EQ(wisp_engine_vocabulary(nullptr), 0u);
  EXPECT_EQ(wisp_model_has_chat_template(nullptr), 0);
  EXPECT_EQ(wisp_source_bytes_read(nullptr), 0u);
  wisp_error_destroy(nullptr);
  wisp_buffer_destroy(nullptr);
  wisp_source_destroy(nullptr);
  wisp_model_destroy(nullptr);
  wisp_options_destroy(nullptr);
  wisp_engine_destroy(nullptr);
  wisp_request_destroy(nullptr);
  wisp_event_destroy(nullptr);
}

TEST_F(CInterfaceHostile, HandlesOfAnotherKindAreRefused) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const OptionsHandle options(wisp_options_create());
  auto* const as_model = reinterpret_cast<wisp_model*>(options.get());
  auto* const as_engine = reinterpret_cast<wisp_engine*>(model.get());
  auto* const as_buffer = reinterpret_cast<wisp_buffer*>(event.get());
  auto* const as_error = reinterpret_cast<wisp_error*>(buffer.get());
  wisp_error* const e = error.get();
  EXPECT_EQ(wisp_model_describe(as_model, buffer.get(), e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_engine_step(as_engine, nullptr, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_model_describe(model.get(), as_buffer, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_engine_counters(engine.get(), nullptr, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_engine_next_event(engine.get(), nullptr, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_engine_submit(engine.get(), nullptr, e), 0u);
  EXPECT_EQ(wisp_engine_create(model.get(), reinterpret_cast<wisp_options*>(e), e), nullptr);
  EXPECT_EQ(wisp_engine_step(engine.get(), nullptr, as_error), WISP_OK);  // an error that is none is not written
  wisp_model_destroy(as_model);                                           // nor is a handle destroyed as another
  EXPECT_EQ(wisp_options_set_integer(options.get(), "context", 64, e), WISP_OK);
}

TEST_F(CInterfaceHostile, SizesThatCannotBe) {
  const ModelHandle model = open();
  const RequestHandle request(wisp_request_create());
  const std::int32_t ids[2] = {1, 2};
  wisp_error* const e = error.get();
  EXPECT_EQ(wisp_model_tokenize(model.get(), "x", SIZE_MAX - 1, 0, buffer.get(), e), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_model_tokenize(model.get(), nullptr, 5, 0, buffer.get(), e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_model_tokenize(model.get(), nullptr, 0, 0, buffer.get(), e), WISP_OK);
  EXPECT_EQ(wisp_model_tokenize(model.get(), "x", 1, 0xFFFFFFFFu, buffer.get(), e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_model_detokenize(model.get(), ids, SIZE_MAX / 2, 0, buffer.get(), e), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_model_detokenize(model.get(), nullptr, 2, 0, buffer.get(), e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_request_set_prompt(request.get(), ids, SIZE_MAX, e), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_request_set_text(request.get(), "prompt", "x", SIZE_MAX - 7, e), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_source_from_memory(ids, SIZE_MAX, e), nullptr);
  const SourceHandle pieces(wisp_source_from_pieces(UINT64_MAX, e));
  EXPECT_EQ(wisp_source_feed(pieces.get(), UINT64_MAX - 1, ids, 8, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_source_feed(pieces.get(), 0, ids, SIZE_MAX, e), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_source_feed(pieces.get(), 0, nullptr, 8, e), WISP_ERROR_INVALID_ARGUMENT);
  const SourceHandle empty(wisp_source_from_pieces(0, e));
  EXPECT_EQ(wisp_model_open(empty.get(), e), nullptr);
  EXPECT_EQ(wisp_error_status(e), WISP_ERROR_INVALID_FILE);
}

TEST_F(CInterfaceHostile, SettingsThatMakeNoSense) {
  const OptionsHandle options(wisp_options_create());
  for (const auto& [json, status] : std::initializer_list<std::pair<const char*, wisp_status>>{
           {R"({"contxt": 5})", WISP_ERROR_NOT_FOUND},
           {R"({"context": -1})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"context": 1e300})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"context": 1.5})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"context": null})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"context": "5"})", WISP_ERROR_NOT_FOUND},
           {R"({"threads": 9, "device": "tpu"})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"kv": ["f16", 3]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"([])", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"context": )", WISP_ERROR_INVALID_ARGUMENT},
           {"", WISP_ERROR_INVALID_ARGUMENT}}) {
    EXPECT_EQ(wisp_options_set_json(options.get(), json, WISP_TO_NUL, error.get()), status) << json;
    EXPECT_GT(std::strlen(wisp_error_message(error.get())), 15u);
  }
  const std::string deep = std::string(100'000, '[');
  EXPECT_EQ(wisp_options_set_json(options.get(), deep.data(), deep.size(), error.get()), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_options_set_integer(options.get(), nullptr, 1, error.get()), WISP_ERROR_INVALID_ARGUMENT);

  const RequestHandle request(wisp_request_create());
  for (const auto& [json, status] : std::initializer_list<std::pair<const char*, wisp_status>>{
           {R"({"prompt": [1, -5]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"prompt": [1, "a"]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"stop": [""]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"stop": 5})", WISP_ERROR_NOT_FOUND},
           {R"({"logit_bias": {"x": 1}})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"logit_bias": [1]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"temperature": "hot"})", WISP_ERROR_NOT_FOUND},
           {R"({"temperature": null})", WISP_ERROR_INVALID_ARGUMENT}}) {
    EXPECT_EQ(wisp_request_set_json(request.get(), json, WISP_TO_NUL, error.get()), status) << json;
  }
}

// A request that makes no sense is refused when it is submitted, with a reason; the engine goes on.
TEST_F(CInterfaceHostile, RequestsThatMakeNoSense) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model, R"({"threads": 1, "context": 64})");
  for (const auto& [json, status] : std::initializer_list<std::pair<const char*, wisp_status>>{
           {R"({})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"prompt": [5000]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"prompt": [1], "temperature": 1e39})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"prompt": [1], "top_p": 2})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"prompt": [1], "logit_bias": {"4096": 1}})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"messages": {}})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"messages": [{"content": "x"}]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})", WISP_ERROR_UNSUPPORTED}}) {
    EXPECT_EQ(wisp_engine_submit(engine.get(), request_of(json).get(), error.get()), 0u) << json;
    EXPECT_EQ(wisp_error_status(error.get()), status) << json << ": " << wisp_error_message(error.get());
  }
  const std::vector<std::int32_t> many(65, 5);
  const RequestHandle request(wisp_request_create());
  ASSERT_OK(wisp_request_set_prompt(request.get(), many.data(), many.size(), error.get()));
  EXPECT_EQ(wisp_engine_submit(engine.get(), request.get(), error.get()), 0u);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_LIMIT);
  EXPECT_EQ(wisp_engine_cancel(engine.get(), 0, error.get()), WISP_ERROR_NOT_FOUND);
  EXPECT_EQ(wisp_engine_cancel(engine.get(), UINT64_MAX, error.get()), WISP_ERROR_NOT_FOUND);
  const std::uint64_t id = submit(engine, R"({"prompt": "Once", "max_tokens": 2, "ignore_end": true})");
  EXPECT_EQ(finish(engine)[id].ids.size(), 2u);
}

// A damaged file, cut at many places, and bytes of no meaning.
TEST_F(CInterfaceHostile, DamagedModels) {
  std::vector<std::byte> bytes = test::read_bytes(kShipped);
  for (std::size_t size = 0; size < 4000; size += 37) {
    const SourceHandle source(wisp_source_from_memory(bytes.data(), size, error.get()));
    EXPECT_EQ(wisp_model_open(source.get(), error.get()), nullptr) << size;
    EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_INVALID_FILE) << size;
  }
  std::ranges::fill(std::span(bytes).subspan(8, 16), std::byte{0xFF});
  const SourceHandle source(wisp_source_from_memory(bytes.data(), bytes.size(), error.get()));
  EXPECT_EQ(wisp_model_open(source.get(), error.get()), nullptr);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_INVALID_FILE);
}

}  // namespace
}  // namespace wisp
