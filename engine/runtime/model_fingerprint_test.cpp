#include "runtime/model_fingerprint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/engine_harness.h"
#include "tests/random_model.h"

namespace wisp::runtime {
namespace {

using test::expect_value;

std::uint64_t fingerprint_of(const std::vector<std::byte>& bytes) {
  return expect_value(model_fingerprint(test::open_bytes(bytes)));
}

test::RandomModelShape shape() { return {.layers = 1, .d_model = 96, .feed_forward = 160}; }

TEST(ModelFingerprint, IsTheSameForTheSameBytes) {
  const test::RandomModel model = test::random_model(shape());
  const std::vector<std::byte> copy = model.bytes;
  EXPECT_EQ(fingerprint_of(copy), fingerprint_of(model.bytes));
}

// Training that leaves the start of every tensor, or anything else but a stretch of one tensor, as it was.
TEST(ModelFingerprint, SeesAnyLargerPartOfATensorChange) {
  const test::RandomModel model = test::random_model(shape());
  const std::uint64_t before = fingerprint_of(model.bytes);
  std::size_t large = 0;
  for (const gguf::TensorInfo& tensor : model.file.tensors) {
    large += tensor.bytes > kFingerprintBytes ? 1 : 0;
    // A stretch of an eighth holds a whole sixteenth, wherever it begins; in a small tensor a byte is enough.
    const std::uint64_t stretch = tensor.bytes > kFingerprintBytes ? tensor.bytes / 8 : 1;
    for (std::uint64_t begin = 0; begin + stretch <= tensor.bytes;
         begin += std::max<std::uint64_t>(tensor.bytes / 20, 1)) {
      std::vector<std::byte> tuned = model.bytes;
      for (std::uint64_t i = 0; i < stretch; ++i) tuned[tensor.offset + begin + i] ^= std::byte{1};
      EXPECT_NE(fingerprint_of(tuned), before) << tensor.name << " from " << begin;
    }
    for (const std::uint64_t at : {std::uint64_t{0}, tensor.bytes - 1}) {
      std::vector<std::byte> tuned = model.bytes;
      tuned[tensor.offset + at] ^= std::byte{1};
      EXPECT_NE(fingerprint_of(tuned), before) << tensor.name << " at " << at;
    }
  }
  EXPECT_GE(large, 3u);
}

TEST(ModelFingerprint, SeesMetadataTypesAndShapes) {
  std::set<std::uint64_t> seen = {fingerprint_of(test::random_model(shape()).bytes)};
  const auto is_new = [&](const std::vector<std::byte>& bytes) { return seen.insert(fingerprint_of(bytes)).second; };
  gguf::Metadata slower = test::random_metadata(shape());
  slower.set("llama.rope.freq_base", gguf::Value::f32(12345.0f));
  EXPECT_TRUE(is_new(test::write_random_model(shape(), slower))) << "RoPE";
  test::RandomModelShape other = shape();
  other.context = 128;
  EXPECT_TRUE(is_new(test::random_model(other).bytes)) << "context";
  other = shape();
  other.type = gguf::TensorType::f16;
  EXPECT_TRUE(is_new(test::random_model(other).bytes)) << "type";
  other = shape();
  other.feed_forward = 128;
  EXPECT_TRUE(is_new(test::random_model(other).bytes)) << "shape";
  other = shape();
  other.seed = 2;
  EXPECT_TRUE(is_new(test::random_model(other).bytes)) << "weights";
}

TEST(ModelFingerprint, ReadsABoundedPartOfEachTensor) {
  const test::RandomModel model = test::random_model({.layers = 2, .d_model = 256, .feed_forward = 1024});
  const gguf::File file = test::open_bytes(model.bytes);
  const std::uint64_t before = file.sources[0]->bytes_read();
  ASSERT_TRUE(model_fingerprint(file));
  EXPECT_LE(file.sources[0]->bytes_read() - before, file.header_bytes + file.tensors.size() * kFingerprintBytes);
  EXPECT_LT(4 * file.tensors.size() * kFingerprintBytes, model.bytes.size()) << "too small to tell";
}

TEST(ModelFingerprint, NeedsTheFile) {
  const test::RandomModel model = test::random_model(shape());
  gguf::File file = test::open_bytes(model.bytes);
  file.sources[0] = std::make_unique<gguf::StreamSource>(model.bytes.size(), "pieces");
  const Result<std::uint64_t> answer = model_fingerprint(file);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::need_more_data);
  EXPECT_TRUE(model_fingerprint(gguf::File{})) << "an engine of a graph alone has none";
}

}  // namespace
}  // namespace wisp::runtime
