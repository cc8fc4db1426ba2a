// Where models come from through the C interface, who is called back meanwhile, and engines in threads.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

using CInterfaceThreads = CInterface;

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

}  // namespace
}  // namespace wisp::test
