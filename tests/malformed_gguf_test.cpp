// Hostile files: each of the reference's damaged ones, the shipped model cut short, and the shipped model with bytes
// changed. All end in a clean refusal or a model that runs; the sanitizers watch in their builds.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "gguf/reader.h"
#include "graph/scalar_executor.h"
#include "runtime/engine.h"
#include "tests/test_data.h"
#include "text/tokenizer.h"

namespace wisp {
namespace {

Result<gguf::File> read_header(std::span<const std::byte> bytes) {
  std::unique_ptr<gguf::ByteSource> source = gguf::from_memory(bytes, "model");
  return gguf::read_file(source);
}

struct Loaded {
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<runtime::Engine> engine;
};

// All that happens between a file's bytes and a model that is ready to run.
Result<Loaded> load_everything(std::span<const std::byte> bytes) {
  WISP_TRY(gguf::File file, read_header(bytes));
  WISP_TRY(text::Vocabulary vocabulary, text::read_vocabulary(file.metadata));
  Loaded loaded;
  WISP_TRY(loaded.tokenizer, text::Tokenizer::create(std::move(vocabulary)));
  runtime::EngineOptions options;
  options.context.context = 64;
  options.row_budget = 8;
  options.max_sequences = 1;
  options.max_logit_rows = 1;
  options.tokenizer = loaded.tokenizer.get();
  WISP_TRY(loaded.engine, runtime::Engine::create(std::move(file), std::move(options),
                                                  graph::make_scalar_executor(graph::Arithmetic::exact)));
  return loaded;
}

// Computes two tokens after a short prompt.
Status evaluate(runtime::Engine& engine) {
  Error error{Code::internal, "the request did not finish"};
  runtime::Request request;
  request.prompt = {1, 2, 3};
  request.max_new_tokens = 2;
  request.ignore_end = true;
  bool done = false;
  request.on_finish = [&](const runtime::FinishEvent& event) {
    done = event.reason == runtime::FinishReason::length;
    error = event.error;
  };
  WISP_CHECK(engine.submit(std::move(request)));
  WISP_CHECK(engine.run());
  if (!done) return std::unexpected(error);
  return {};
}

enum class Expected : std::uint8_t { accept, reject, either };

// File name to expectation, as EXPECT.tsv of the reference data has them.
std::map<std::string, Expected> read_expectations(const std::filesystem::path& folder) {
  std::map<std::string, Expected> expectations;
  std::ifstream in(folder / "EXPECT.tsv");
  std::string line;
  std::getline(in, line);  // column names
  while (std::getline(in, line)) {
    std::istringstream columns(line);
    std::string file, expect;
    std::getline(columns, file, '\t');
    std::getline(columns, expect, '\t');
    if (expect != "accept" && expect != "reject" && expect != "either") throw std::runtime_error("EXPECT.tsv: " + line);
    expectations[file] = expect == "accept"   ? Expected::accept
                         : expect == "reject" ? Expected::reject
                                              : Expected::either;
  }
  return expectations;
}

// What the header alone gives away, and what its refusal must speak of. The other files have well-formed headers.
const std::map<std::string, std::string> kRefusedByReader = {
    {"empty.gguf", "ends inside the magic number"},
    {"trunc-4.gguf", "ends inside the version"},
    {"trunc-20.gguf", "ends inside the metadata count"},
    {"bad-magic.gguf", "'GGUX'"},
    {"magic-ggjt.gguf", "'tjgg'"},
    {"version-1.gguf", "version 1"},
    {"version-swapped.gguf", "big-endian"},
    {"n-tensors-2e60.gguf", "tensor count is 1152921504606846976"},
    {"n-kv-max.gguf", "metadata count is 18446744073709551615"},
    {"n-kv-plus1.gguf", "name claims"},
    {"trunc-in-key.gguf", "cut short"},
    {"trunc-in-tokens.gguf", "'tokenizer.ggml.tokens'"},
    {"trunc-in-tinfo.gguf", "ends inside the dimensions"},
    {"trunc-mid-data.gguf", "'token_embd.weight': its 33792 bytes"},
    {"key-len-max.gguf", "key claims 18446744073709551615"},
    {"key-empty.gguf", "empty key"},
    {"str-len-2e62.gguf", "string claims 4611686018427387904"},
    {"arr-len-2e40.gguf", "array's length is 1099511627776"},
    {"arr-of-arr.gguf", "arrays of arrays"},
    {"kv-type-13.gguf", "value type 13"},
    {"arr-type-99.gguf", "element type 99"},
    {"dup-key.gguf", "'llama.block_count' is there twice"},
    {"dims-overflow4.gguf", "2^63 elements"},
    {"dims-overflow-fit.gguf", "2^63 elements"},
    {"dims-zero.gguf", "dimension 1 is 0"},
    {"dims-0.gguf", "0 dimensions"},
    {"type-4.gguf", "type number 4 "},
    {"type-max.gguf", "type number 4294967295"},
    {"block-mismatch.gguf", "blocks of 256, as Q4_K"},
    {"off-beyond.gguf", "offset 1073741824 reach past the end"},
    {"off-misaligned.gguf", "offset 33829 is not a multiple"},
    {"align-0.gguf", "alignment is 0"},
    {"align-2e31.gguf", "alignment is 2147483648"},
    {"name-empty.gguf", "empty name"},
};

// Files with one and the same fault, which may be refused with the same words.
const std::set<std::string> kSameFault = {"dims-overflow-fit.gguf"};

TEST(MalformedGguf, ReaderRefusesWhatTheHeaderShows) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  for (const auto& [name, expected] : read_expectations(*data / "malformed")) {
    SCOPED_TRACE(name);
    const std::vector<std::byte> bytes = test::read_bytes(*data / "malformed" / name);
    const auto file = read_header(bytes);
    const auto refusal = kRefusedByReader.find(name);
    if (refusal == kRefusedByReader.end()) {
      EXPECT_TRUE(file) << file.error().message;
      continue;
    }
    EXPECT_NE(expected, Expected::accept);
    ASSERT_FALSE(file);
    EXPECT_NE(file.error().message.find(refusal->second), std::string::npos) << file.error().message;
  }
}

TEST(MalformedGguf, EveryFileEndsAsExpected) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  std::map<std::string, std::string> seen;  // message to file
  int accepted = 0;
  for (const auto& [name, expected] : read_expectations(*data / "malformed")) {
    SCOPED_TRACE(name);
    const std::vector<std::byte> bytes = test::read_bytes(*data / "malformed" / name);
    const auto loaded = load_everything(bytes);
    if (!loaded) {
      EXPECT_NE(expected, Expected::accept) << loaded.error().message;
      EXPECT_NE(loaded.error().code, Code::internal) << loaded.error().message;
      if (kSameFault.contains(name)) continue;
      const auto [other, fresh] = seen.emplace(loaded.error().message, name);
      EXPECT_TRUE(fresh) << "refused with the words of " << other->second << ": " << loaded.error().message;
      continue;
    }
    EXPECT_NE(expected, Expected::reject);
    const Status ran = evaluate(*loaded->engine);
    if (expected == Expected::accept) EXPECT_TRUE(ran) << ran.error().message;
    ++accepted;
  }
  EXPECT_GE(accepted, 8) << "the control files";
}

// The shipped model, and where in it the last tensor ends.
class ShippedModel : public testing::Test {
 protected:
  void SetUp() override {
    bytes_ = test::read_bytes(test::source_dir() / "models" / "wisp-stories.gguf");
    const auto file = read_header(bytes_);
    ASSERT_TRUE(file) << file.error().message;
    header_bytes_ = file->header_bytes;
    for (const gguf::TensorInfo& tensor : file->tensors) end_ = std::max(end_, tensor.offset + tensor.bytes);
    ASSERT_TRUE(load_everything(bytes_)) << load_everything(bytes_).error().message;
  }

  std::vector<std::byte> bytes_;
  std::uint64_t header_bytes_ = 0;
  std::uint64_t end_ = 0;
};

TEST_F(ShippedModel, CutShortIsRefused) {
  // Half of the cuts in the header, half in the tensor data.
  constexpr int kCuts = 250;
  for (int cut = 0; cut < kCuts; ++cut) {
    for (const std::uint64_t length :
         {header_bytes_ * cut / kCuts, header_bytes_ + (end_ - header_bytes_) * cut / kCuts}) {
      // An exact copy on the heap, so that a read past its end is seen.
      const std::vector<std::byte> piece(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(length));
      const auto loaded = load_everything(piece);
      ASSERT_FALSE(loaded) << length << " of " << bytes_.size() << " bytes";
      ASSERT_NE(loaded.error().code, Code::internal) << loaded.error().message;
    }
  }
}

TEST_F(ShippedModel, ChangedBytesAreRefusedOrLoad) {
  constexpr std::uint64_t kChangedRegion = 64 * 1024;
  const int rounds = test::full_run() ? 10'000 : 1'000;
  std::mt19937 random(2024);
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::size_t at = random() % kChangedRegion;
    const auto change = static_cast<std::byte>(1 + random() % 255);
    bytes_[at] ^= change;
    const auto loaded = load_everything(bytes_);
    bytes_[at] ^= change;
    if (loaded) continue;
    ++refused;
    ASSERT_NE(loaded.error().code, Code::internal) << "byte " << at << ": " << loaded.error().message;
  }
  // Neither end of the road is a dead one.
  EXPECT_GT(refused, rounds / 100);
  EXPECT_LT(refused, rounds);
}

}  // namespace
}  // namespace wisp
