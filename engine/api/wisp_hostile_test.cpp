// What makes no sense through the C interface: wrong handles, sizes, settings, requests and files.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

using CInterfaceHostile = CInterface;

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
  EXPECT_EQ(wisp_event_embedding(nullptr), nullptr);
  EXPECT_EQ(wisp_event_embedding_count(nullptr), 0u);
  EXPECT_EQ(wisp_engine_embedding_width(nullptr), 0u);
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
           {R"({"context": "5"})", WISP_ERROR_INVALID_ARGUMENT},
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
           {R"({"stop": 5})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"logit_bias": {"x": 1}})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"logit_bias": [1]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"temperature": "hot"})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"temperature": null})", WISP_ERROR_INVALID_ARGUMENT}}) {
    EXPECT_EQ(wisp_request_set_json(request.get(), json, WISP_TO_NUL, error.get()), status) << json;
  }
}

TEST_F(CInterfaceHostile, ListsThatMakeNoSense) {
  const RequestHandle request(wisp_request_create());
  std::string many = "[\"x\"";
  for (int i = 0; i < 256; ++i) many += ", \"x\"";
  many += "]";
  for (const auto& [json, status] : std::initializer_list<std::pair<std::string, wisp_status>>{
           {R"({"samplers": ["top_k", "no_such"]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"samplers": ["top_k", "top_k"]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"samplers": ["top_k;top_p"]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"samplers": [""]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"samplers": [5]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"samplers": 5})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"dry_breakers": [""]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"dry_breakers": [5]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"dry_breakers": "\n"})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"dry_breakers": "{}"})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"dry_breakers": )" + many + "}", WISP_ERROR_LIMIT},
           {R"({"triggers": [-1]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"triggers": [1.5]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"triggers": [[]]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"triggers": [""]})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"triggers": )" + many + "}", WISP_ERROR_LIMIT},
           {R"({"stop": )" + many + "}", WISP_ERROR_LIMIT},
           {R"({"pooling": "max"})", WISP_ERROR_INVALID_ARGUMENT},
           {R"({"normalize": 2})", WISP_ERROR_INVALID_ARGUMENT}}) {
    EXPECT_EQ(wisp_request_set_json(request.get(), json.data(), json.size(), error.get()), status) << json;
    EXPECT_GT(std::strlen(wisp_error_message(error.get())), 20u);
  }
  const std::string deep = std::string(100'000, '[');
  EXPECT_EQ(wisp_request_set_text(request.get(), "triggers", deep.data(), deep.size(), error.get()), WISP_ERROR_LIMIT);
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model);
  const Json too_much = {{"prompt", "x"}, {"regex", "a"}, {"triggers", {std::string(1025, 'a')}}};
  EXPECT_EQ(wisp_engine_submit(engine.get(), request_of(too_much.dump()).get(), error.get()), 0u);
  EXPECT_EQ(wisp_error_status(error.get()), WISP_ERROR_LIMIT);
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
}  // namespace wisp::test
