#include "graph/weight_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "model/model.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"

namespace wisp::graph {
namespace {

using gguf::TensorType;

// A source that cannot be viewed and remembers what was read.
class ReadOnlySource final : public gguf::ByteSource {
 public:
  explicit ReadOnlySource(std::span<const std::byte> bytes) : bytes_(bytes), read_(bytes.size(), false) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  Status read(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return fail(Code::invalid_file, "past the end");
    std::ranges::copy(bytes_.subspan(offset, out.size()), out.begin());
    std::fill_n(read_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), true);
    return {};
  }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] bool was_read(std::uint64_t offset, std::uint64_t bytes) const {
    const auto begin = read_.begin() + static_cast<std::ptrdiff_t>(offset);
    return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(bytes), [](bool b) { return b; });
  }

 private:
  std::span<const std::byte> bytes_;
  std::vector<bool> read_;
  std::string name_ = "test";
};

// What a backend that gathers tables from the file asks for.
WeightStream stream_of(const Graph& graph, const gguf::File& file) {
  const auto is_loaded = [](const Weight& weight) { return weight.use.matrix || weight.use.vector; };
  return {graph, file, weights_where(graph, is_loaded)};
}

LoadState give_all(WeightStream& stream, const std::function<Status(const WeightChunk&)>& take) {
  LoadState state = LoadState::more;
  while (state == LoadState::more) state = test::must(stream.give(take));
  return state;
}

// The pieces of every weight, put together again.
std::map<std::string, std::vector<std::byte>> collect(const Graph& graph, const gguf::File& file) {
  std::map<std::string, std::vector<std::byte>> all;
  std::uint64_t last_offset = 0;
  WeightStream stream = stream_of(graph, file);
  const LoadState state = give_all(stream, [&](const WeightChunk& chunk) -> Status {
    const Weight& weight = graph.weights[static_cast<std::size_t>(chunk.weight)];
    std::vector<std::byte>& bytes = all[weight.name + "@" + std::to_string(weight.first_element)];
    EXPECT_EQ(bytes.size(), chunk.first_row * row_bytes(weight)) << "pieces of a weight come in order";
    EXPECT_EQ(chunk.bytes.size(), chunk.rows * row_bytes(weight));
    EXPECT_TRUE(chunk.rows % kChunkRows == 0 || chunk.first_row + chunk.rows == weight.rows);
    EXPECT_LE(chunk.bytes.size(), std::max(kChunkBytes, kChunkRows * row_bytes(weight)));
    const std::uint64_t offset = first_byte(weight, file) + chunk.first_row * row_bytes(weight);
    EXPECT_GE(offset, last_offset) << "file order";
    last_offset = offset;
    bytes.insert(bytes.end(), chunk.bytes.begin(), chunk.bytes.end());
    return {};
  });
  EXPECT_EQ(state, LoadState::done);
  EXPECT_EQ(stream.bytes_done(), stream.bytes_total());
  EXPECT_TRUE(stream.finished() && stream.rest().empty());
  return all;
}

TEST(WeightStream, GivesEachUsedByteOnceFromEverySource) {
  // The output matrix is larger than a chunk.
  const test::RandomModelShape shape{.layers = 1, .vocabulary = 40'000, .type = TensorType::f32};
  test::RandomModel random = test::random_model(shape);
  const model::Model model = test::must(model::Model::from_file(random.file, {}));
  const auto viewed = collect(model.graph(), random.file);
  for (const Weight& weight : model.graph().weights) {
    if (weight.name == "token_embd.weight") continue;
    const gguf::TensorInfo& tensor = random.file.tensors[weight.tensor];
    const auto begin = random.bytes.begin() + static_cast<std::ptrdiff_t>(tensor.offset);
    EXPECT_TRUE(std::ranges::equal(viewed.at(weight.name + "@0"),
                                   std::span(begin, begin + static_cast<std::ptrdiff_t>(tensor.bytes))))
        << weight.name;
  }
  EXPECT_FALSE(viewed.contains("token_embd.weight@0")) << "a table is gathered, not loaded";
  EXPECT_GT(viewed.at("output.weight@0").size(), kChunkBytes);

  random.file.sources[0] = std::make_unique<ReadOnlySource>(random.bytes);
  EXPECT_EQ(collect(model.graph(), random.file), viewed);
}

TEST(WeightStream, NeverReadsWhatTheGraphDoesNotUse) {
  test::RandomModel random = test::random_model({.layers = 2});
  const model::Model model = test::must(model::Model::from_file(random.file, {}));
  Graph graph = model.graph();
  // As if nothing of layer 1 were used.
  for (Weight& weight : graph.weights) {
    if (weight.name.starts_with("blk.1.")) weight.use = {};
  }
  auto source = std::make_unique<ReadOnlySource>(random.bytes);
  const ReadOnlySource& record = *source;
  random.file.sources[0] = std::move(source);
  (void)collect(graph, random.file);
  for (const gguf::TensorInfo& tensor : random.file.tensors) {
    const bool used = !tensor.name.starts_with("blk.1.") && tensor.name != "token_embd.weight";
    EXPECT_EQ(record.was_read(tensor.offset, tensor.bytes), used) << tensor.name;
  }
}

// Fed only when it asks, in the ranges that rest() told before, and forgetting what it has read, a source never holds
// more than the pieces that were fed ahead; and the weights are the same.
TEST(WeightStream, RunsOnWhatItSaysItWants) {
  const test::RandomModelShape shape{.layers = 3, .vocabulary = 40'000, .type = TensorType::f32};
  test::RandomModel random = test::random_model(shape);
  const model::Model model = test::must(model::Model::from_file(random.file, {}));
  const auto expected = collect(model.graph(), random.file);

  auto made = std::make_unique<gguf::StreamSource>(random.bytes.size(), "fed");
  gguf::StreamSource& source = *made;
  source.set_read_once(true);
  random.file.sources[0] = std::move(made);
  WeightStream stream = stream_of(model.graph(), random.file);
  constexpr std::uint64_t kPiece = 300'001;
  std::map<std::string, std::vector<std::byte>> all;
  std::uint64_t fed = 0, most_held = 0;
  LoadState state = LoadState::more;
  for (const FileRange& range : stream.rest()) {
    for (std::uint64_t at = 0; at < range.bytes;) {
      state = test::must(stream.give([&](const WeightChunk& chunk) -> Status {
        const Weight& weight = model.graph().weights[static_cast<std::size_t>(chunk.weight)];
        std::vector<std::byte>& bytes = all[weight.name + "@" + std::to_string(weight.first_element)];
        bytes.insert(bytes.end(), chunk.bytes.begin(), chunk.bytes.end());
        return {};
      }));
      if (state == LoadState::more) continue;
      ASSERT_EQ(state, LoadState::wants_data);
      EXPECT_EQ(source.wanted().offset, range.offset + at) << "what is fed next is what is missed";
      const std::uint64_t count = std::min(kPiece, range.bytes - at);
      test::must(source.feed(range.offset + at, std::span(random.bytes).subspan(range.offset + at, count)));
      fed += count;
      at += count;
      most_held = std::max(most_held, source.buffered_bytes());
      ASSERT_LE(stream.bytes_done(), fed);
    }
  }
  state = give_all(stream, [&](const WeightChunk& chunk) -> Status {
    const Weight& weight = model.graph().weights[static_cast<std::size_t>(chunk.weight)];
    std::vector<std::byte>& bytes = all[weight.name + "@" + std::to_string(weight.first_element)];
    bytes.insert(bytes.end(), chunk.bytes.begin(), chunk.bytes.end());
    return {};
  });
  EXPECT_EQ(state, LoadState::done);
  EXPECT_EQ(all, expected);
  EXPECT_EQ(fed, stream.bytes_total()) << "nothing else";
  EXPECT_LE(most_held, kChunkBytes + kPiece);
  EXPECT_EQ(source.buffered_bytes(), 0u);
}

TEST(WeightStream, DoesABoundedPieceAtATimeAndStopsAtAnError) {
  test::RandomModel random = test::random_model({.layers = 1, .vocabulary = 40'000, .type = TensorType::f32});
  const model::Model model = test::must(model::Model::from_file(random.file, {}));
  WeightStream stream = stream_of(model.graph(), random.file);
  std::uint64_t given = 0;
  const auto count = [&](const WeightChunk& chunk) -> Status {
    given += chunk.bytes.size();
    return {};
  };
  EXPECT_EQ(test::must(stream.give(count)), LoadState::more);
  EXPECT_GE(given, kChunkBytes / 2);
  EXPECT_LT(given, 2 * kChunkBytes);
  EXPECT_EQ(stream.bytes_done(), given);
  const auto refuse = [](const WeightChunk&) -> Status { return fail(Code::device, "lost"); };
  const Result<LoadState> stopped = stream.give(refuse);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::device);
}

}  // namespace
}  // namespace wisp::graph
