// Engines whose weights come over time, through the C interface.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

constexpr const char* kOptions = R"({"threads": 1, "context": 256})";
constexpr const char* kRequest = R"({"prompt": "Once upon a time", "temperature": 0, "max_tokens": 8})";

class CInterfaceLoading : public CInterface {
 protected:
  struct Range {
    std::uint64_t offset, count;
  };

  // A model whose header alone was fed, and forgotten.
  ModelHandle open_header(const SourceHandle& source) {
    while (true) {
      ModelHandle model(wisp_model_open(source.get(), error.get()));
      if (model != nullptr) {
        EXPECT_OK(wisp_source_discard(source.get(), error.get()));
        EXPECT_OK(wisp_source_set_read_once(source.get(), 1, error.get()));
        return model;
      }
      if (wisp_error_status(error.get()) != WISP_ERROR_NEED_MORE_DATA) return nullptr;
      std::uint64_t offset = 0, count = 0;
      EXPECT_OK(wisp_source_wanted(source.get(), &offset, &count, error.get()));
      feed(source, {offset, count});
    }
  }

  void feed(const SourceHandle& source, Range range) {
    EXPECT_OK(wisp_source_feed(source.get(), range.offset, bytes.data() + range.offset, range.count, error.get()));
  }

  EngineHandle begin(const ModelHandle& model) {
    const OptionsHandle options(wisp_options_create());
    EXPECT_OK(wisp_options_set_json(options.get(), kOptions, std::strlen(kOptions), error.get()));
    EngineHandle engine(wisp_engine_begin(model.get(), options.get(), error.get()));
    EXPECT_NE(engine, nullptr) << wisp_error_message(error.get());
    return engine;
  }

  std::vector<Range> wanted(const EngineHandle& engine) {
    EXPECT_OK(wisp_engine_wanted(engine.get(), buffer.get(), error.get()));
    std::vector<Range> ranges(wisp_buffer_size(buffer.get()) / sizeof(Range));
    std::memcpy(ranges.data(), wisp_buffer_data(buffer.get()), ranges.size() * sizeof(Range));
    return ranges;
  }

  std::vector<std::int32_t> answer_of(const EngineHandle& engine) {
    return finish(engine)[submit(engine, kRequest)].ids;
  }

  const std::vector<std::byte> bytes = read_bytes(kShipped);
};

// Fed only what it wants, when it wants it, in small pieces: the same tokens, and never much of the file at once.
TEST_F(CInterfaceLoading, RunsOnPiecesThatAreForgotten) {
  const SourceHandle source(wisp_source_from_pieces(bytes.size(), error.get()));
  const ModelHandle model = open_header(source);
  ASSERT_NE(model, nullptr) << wisp_error_message(error.get());
  const EngineHandle engine = begin(model);
  constexpr std::uint64_t kPiece = 100'003;
  std::vector<Range> pieces;
  for (const Range& range : wanted(engine)) {
    for (std::uint64_t at = 0; at < range.count; at += kPiece) {
      pieces.push_back({range.offset + at, std::min(kPiece, range.count - at)});
    }
  }
  ASSERT_FALSE(pieces.empty());
  EXPECT_EQ(wisp_engine_submit(engine.get(), request_of(kRequest).get(), error.get()), 0u);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("loading"), std::string::npos);

  std::size_t next = 0;
  std::uint64_t most = 0, done = 0, total = 0, last = 0;
  for (wisp_load_state state = WISP_LOAD_MORE; state != WISP_LOAD_DONE;) {
    ASSERT_OK(wisp_engine_load(engine.get(), &state, error.get()));
    ASSERT_OK(wisp_engine_load_progress(engine.get(), &done, &total, error.get()));
    EXPECT_GE(done, last);
    last = done;
    if (state != WISP_LOAD_WANTS_DATA) continue;
    ASSERT_LT(next, pieces.size()) << "it wants what it did not say";
    feed(source, pieces[next++]);
    most = std::max(most, wisp_source_bytes_held(source.get()));
  }
  EXPECT_EQ(next, pieces.size());
  EXPECT_EQ(done, total);
  EXPECT_TRUE(wanted(engine).empty());
  EXPECT_LT(most, 4u << 20) << "of " << bytes.size();
  EXPECT_LT(wisp_source_bytes_held(source.get()), kPiece);
  wisp_load_state again = WISP_LOAD_MORE;
  EXPECT_OK(wisp_engine_load(engine.get(), &again, error.get()));
  EXPECT_EQ(again, WISP_LOAD_DONE);
  const EngineHandle whole = engine_of(open(), kOptions);
  EXPECT_EQ(answer_of(engine), answer_of(whole));
}

TEST_F(CInterfaceLoading, CanBeGivenUpAtAnyTime) {
  const SourceHandle source(wisp_source_from_pieces(bytes.size(), error.get()));
  const ModelHandle model = open_header(source);
  ASSERT_NE(model, nullptr);
  const std::size_t n = [&] {
    const EngineHandle engine = begin(model);
    return wanted(engine).size();
  }();
  for (std::size_t fed = 0; fed <= n; fed += std::max<std::size_t>(1, n / 3)) {
    ASSERT_OK(wisp_source_discard(source.get(), error.get()));
    const EngineHandle engine = begin(model);
    const std::vector<Range> ranges = wanted(engine);
    for (std::size_t i = 0; i < fed && i < ranges.size(); ++i) {
      feed(source, ranges[i]);
      wisp_load_state state = WISP_LOAD_MORE;
      while (state == WISP_LOAD_MORE) ASSERT_OK(wisp_engine_load(engine.get(), &state, error.get()));
    }
  }
}

TEST_F(CInterfaceLoading, APartOfASplitModelGoesOnWhereTheLastOneEnds) {
  const SourceHandle source(wisp_source_from_pieces(1000, error.get()));
  EXPECT_OK(wisp_source_add_part(source.get(), 500, error.get()));
  const char byte = 'x';
  EXPECT_OK(wisp_source_feed(source.get(), 1499, &byte, 1, error.get()));
  EXPECT_EQ(wisp_source_feed(source.get(), 1500, &byte, 1, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_source_add_part(source.get(), UINT64_MAX, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_source_bytes_held(source.get()), 1u);
}

TEST_F(CInterfaceLoading, WrongUseIsRefused) {
  EXPECT_EQ(wisp_engine_begin(nullptr, nullptr, error.get()), nullptr);
  EXPECT_EQ(wisp_engine_load(nullptr, nullptr, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_engine_wanted(nullptr, buffer.get(), error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_source_set_read_once(nullptr, 1, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  const SourceHandle file(wisp_source_from_file(kShipped.c_str(), error.get()));
  EXPECT_EQ(wisp_source_add_part(file.get(), 10, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_source_bytes_held(nullptr), 0u);
}

}  // namespace
}  // namespace wisp::test
