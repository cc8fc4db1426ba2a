// Saved sequences and forks through the C interface.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

using CInterfaceHostile = CInterface;

class CInterfaceState : public CInterface {
 protected:
  using Bytes = std::vector<char>;
  Bytes content() {
    const auto* const data = static_cast<const char*>(wisp_buffer_data(buffer.get()));
    return {data, data + wisp_buffer_size(buffer.get())};
  }
  // Runs all; the state that the request with this number leaves.
  Bytes state_of(const EngineHandle& engine, std::uint64_t id, std::map<std::uint64_t, Answer>& answers) {
    Bytes state;
    while (true) {
      EXPECT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
      if (wisp_event_kind(event.get()) == WISP_EVENT_NONE) return state;
      note(event.get(), answers);
      if (wisp_event_kind(event.get()) != WISP_EVENT_FINISH || wisp_event_request(event.get()) != id) continue;
      EXPECT_OK(wisp_event_state(event.get(), buffer.get(), error.get()));
      state = content();
    }
  }
  std::vector<std::int32_t> state_tokens(const Bytes& state) {
    EXPECT_OK(wisp_state_tokens(state.data(), state.size(), buffer.get(), error.get()));
    return {wisp_buffer_ids(buffer.get()), wisp_buffer_ids(buffer.get()) + wisp_buffer_id_count(buffer.get())};
  }
  // Goes on from a state with nothing but its bytes.
  RequestHandle request_from(const Bytes& state, const std::string& json) {
    RequestHandle request = request_of(json);
    EXPECT_OK(wisp_request_set_state(request.get(), state.data(), state.size(), error.get()));
    const std::vector<std::int32_t> prompt = state_tokens(state);
    EXPECT_OK(wisp_request_set_prompt(request.get(), prompt.data(), prompt.size(), error.get()));
    return request;
  }
  const std::string greedy_ = R"("temperature": 0, "ignore_end": true, )";
};

// Saved in the middle and at the end, by one engine, and gone on with by another; guessing ahead changes nothing.
TEST_F(CInterfaceState, GoesOnElsewhere) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model), other = engine_of(model);
  const std::uint64_t whole = submit(engine, R"({"prompt": "Once upon a time", )" + greedy_ + R"("max_tokens": 16})");
  const std::vector<std::int32_t> expected = finish(engine)[whole].ids;
  const std::uint64_t id =
      submit(engine, R"({"prompt": "Once upon a time", )" + greedy_ + R"("max_tokens": 6, "keep_state": true})");
  Bytes middle;
  for (int told = 0; wisp_event_kind(event.get()) != WISP_EVENT_FINISH; ++told) {
    if (told == 3) {
      ASSERT_OK(wisp_engine_save(engine.get(), id, buffer.get(), error.get()));
      middle = content();
    }
    ASSERT_OK(wisp_engine_wait_event(engine.get(), event.get(), error.get()));
  }
  ASSERT_OK(wisp_event_state(event.get(), buffer.get(), error.get()));
  const Bytes end = content();
  std::vector<std::int32_t> told = tokens_of(model, kStory, WISP_ADD_SPECIAL);
  const std::size_t prompt = told.size();
  told.insert(told.end(), expected.begin(), expected.begin() + 6);
  EXPECT_EQ(state_tokens(end), told);
  told.resize(prompt + 3);
  EXPECT_EQ(state_tokens(middle), told);
  for (const Bytes* state : std::initializer_list<const Bytes*>{&middle, &end}) {
    const std::size_t made = state_tokens(*state).size() - prompt;
    const RequestHandle request =
        request_from(*state, "{" + greedy_ + R"("speculate": "ngram", "most_drafts": 4, "max_tokens": )" +
                                 std::to_string(expected.size() - made) + "}");
    const std::uint64_t rest = wisp_engine_submit(other.get(), request.get(), error.get());
    ASSERT_NE(rest, 0u) << wisp_error_message(error.get());
    const Answer answer = finish(other)[rest];
    EXPECT_TRUE(std::ranges::equal(answer.ids, std::span(expected).subspan(made)));
    EXPECT_EQ(answer.cached_tokens, prompt + made - 1);
  }
  EXPECT_EQ(wisp_event_state(event.get(), buffer.get(), error.get()), WISP_ERROR_NOT_FOUND);
}

// With one place to run, all but the first wait, and a fork of one that waits begins where that would have.
TEST_F(CInterfaceState, IsThatOfForksToo) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model, R"({"threads": 1, "context": 256, "max_sequences": 1})");
  const std::uint64_t first =
      submit(engine, R"({"prompt": "Once upon a time", )" + greedy_ + R"("max_tokens": 6, "keep_state": true})");
  std::map<std::uint64_t, Answer> answers;
  const Bytes state = state_of(engine, first, answers);

  submit(engine, R"({"prompt": "A dog", )" + greedy_ + R"("max_tokens": 4})");
  const RequestHandle request = request_from(state, "{" + greedy_ + R"("max_tokens": 8})");
  const std::uint64_t parent = wisp_engine_submit(engine.get(), request.get(), error.get());
  ASSERT_NE(parent, 0u) << wisp_error_message(error.get());
  const RequestHandle asked = request_of("{" + greedy_ + R"("max_tokens": 8})");
  const std::uint64_t child = wisp_engine_fork(engine.get(), parent, asked.get(), error.get());
  ASSERT_NE(child, 0u) << wisp_error_message(error.get());
  ASSERT_OK(wisp_engine_save(engine.get(), child, buffer.get(), error.get()));
  EXPECT_EQ(content(), state) << "it has not run";
  answers = finish(engine);
  EXPECT_EQ(answers[child].ids, answers[parent].ids);
  EXPECT_EQ(answers[child].ids.size(), 8u);
  EXPECT_EQ(answers[child].cached_tokens, state_tokens(state).size() - 1);
}

// An engine knows its model by itself, when the bytes that it was made of are gone.
TEST_F(CInterfaceState, NeedsNoFile) {
  const std::vector<std::byte> bytes = test::read_bytes(kShipped);
  const SourceHandle source(wisp_source_from_pieces(bytes.size(), error.get()));
  ASSERT_OK(wisp_source_feed(source.get(), 0, bytes.data(), bytes.size(), error.get()));
  const ModelHandle model(wisp_model_open(source.get(), error.get()));
  ASSERT_NE(model, nullptr) << wisp_error_message(error.get());
  const EngineHandle engine = engine_of(model), native = engine_of(open());
  ASSERT_OK(wisp_source_discard(source.get(), error.get()));
  std::map<std::uint64_t, Answer> answers;
  const std::uint64_t first =
      submit(engine, R"({"prompt": "Once upon a time", )" + greedy_ + R"("max_tokens": 6, "keep_state": true})");
  const Bytes state = state_of(engine, first, answers);
  for (const EngineHandle* next : {&engine, &native}) {
    const RequestHandle request = request_from(state, "{" + greedy_ + R"("max_tokens": 3})");
    const std::uint64_t id = wisp_engine_submit(next->get(), request.get(), error.get());
    ASSERT_NE(id, 0u) << wisp_error_message(error.get());
    EXPECT_EQ(finish(*next)[id].cached_tokens, state_tokens(state).size() - 1);
  }
}

TEST_F(CInterfaceHostile, StatesThatAreNone) {
  const RequestHandle request(wisp_request_create());
  wisp_error* const e = error.get();
  EXPECT_EQ(wisp_request_set_state(nullptr, "x", 1, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_request_set_state(request.get(), nullptr, 1, e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_request_set_state(request.get(), "nonsense", 8, e), WISP_ERROR_INVALID_FILE);
  EXPECT_EQ(wisp_request_set_state(request.get(), nullptr, 0, e), WISP_OK);
  EXPECT_EQ(wisp_state_tokens(nullptr, 1, buffer.get(), e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_state_tokens("nonsense", 8, buffer.get(), e), WISP_ERROR_INVALID_FILE);
  EXPECT_EQ(wisp_state_tokens("", 0, buffer.get(), e), WISP_ERROR_INVALID_FILE);
  EXPECT_EQ(wisp_engine_save(nullptr, 1, buffer.get(), e), WISP_ERROR_INVALID_ARGUMENT);

  const EngineHandle engine = engine_of(open());
  EXPECT_EQ(wisp_engine_save(engine.get(), 7, buffer.get(), e), WISP_ERROR_NOT_FOUND);
  const std::uint64_t id = submit(engine, R"({"prompt": "Once upon a time", "max_tokens": 4})");
  ASSERT_OK(wisp_engine_save(engine.get(), id, buffer.get(), e));
  EXPECT_EQ(wisp_engine_save(engine.get(), id, nullptr, e), WISP_ERROR_INVALID_ARGUMENT);
  const auto* const data = static_cast<const char*>(wisp_buffer_data(buffer.get()));
  const std::vector<char> good(data, data + wisp_buffer_size(buffer.get()));
  for (std::size_t n = 1; n < good.size(); ++n) {
    EXPECT_EQ(wisp_request_set_state(request.get(), good.data(), n, e), WISP_ERROR_INVALID_FILE) << n;
    EXPECT_EQ(wisp_state_tokens(good.data(), n, buffer.get(), e), WISP_ERROR_INVALID_FILE) << n;
  }
  // What it lacks is the prompt that begins with its tokens.
  ASSERT_OK(wisp_request_set_state(request.get(), good.data(), good.size(), e));
  ASSERT_OK(wisp_request_set_text(request.get(), "prompt", "Twice", WISP_TO_NUL, e));
  EXPECT_EQ(wisp_engine_submit(engine.get(), request.get(), e), 0u);
  EXPECT_EQ(wisp_error_status(e), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(wisp_error_message(e)).find("does not begin"), std::string::npos);
}

}  // namespace
}  // namespace wisp::test
