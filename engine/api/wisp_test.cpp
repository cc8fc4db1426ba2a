// The C interface through its header alone: models, requests and what they tell.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

using CInterfaceEngine = CInterface;

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

}  // namespace
}  // namespace wisp::test
