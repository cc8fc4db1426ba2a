// What tests of the C interface have in common: handles that destroy themselves, and a fixture that runs requests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "api/wisp.h"
#include "tests/test_data.h"

namespace wisp::test {

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

inline const std::string kShipped = (source_dir() / "models/wisp-stories.gguf").string();
inline constexpr const char* kStory = "Once upon a time";

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

}  // namespace wisp::test
