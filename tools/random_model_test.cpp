#include "tools/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "quant/block_format.h"
#include "quant/random_blocks.h"

namespace wisp::tools {
namespace {

using gguf::TensorType;

std::vector<std::byte> write_model(const ModelShape& shape, Part part = {}) {
  std::vector<std::byte> bytes;
  const Status status = write_random_model(
      shape,
      [&](std::span<const std::byte> piece) -> Status {
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return {};
      },
      [](double) {}, part);
  EXPECT_TRUE(status) << status.error().message;
  return bytes;
}

class RandomBlocks : public testing::TestWithParam<TensorType> {};

TEST_P(RandomBlocks, HaveTheChosenDeviationAndNoMean) {
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(GetParam());
  constexpr float kDeviation = 0.02F;
  constexpr std::size_t kElements = 1 << 20;
  std::vector<std::byte> bytes(kElements / info.block_elements * info.block_bytes);
  quant::Random random(7);
  quant::random_blocks(GetParam(), kDeviation, random, bytes);
  std::vector<float> values(kElements);
  ASSERT_TRUE(quant::decode(GetParam(), bytes, values));
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += double{value} * value;
  }
  EXPECT_NEAR(sum / kElements, 0.0, 0.05 * kDeviation);
  EXPECT_NEAR(std::sqrt(squares / kElements), kDeviation, 0.05 * kDeviation);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, RandomBlocks,
                         testing::Values(TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q4_0,
                                         TensorType::q4_1, TensorType::q5_0, TensorType::q5_1, TensorType::q8_0,
                                         TensorType::q2_k, TensorType::q3_k, TensorType::q4_k, TensorType::q5_k,
                                         TensorType::q6_k),
                         [](const auto& test) { return std::string(gguf::tensor_type_info(test.param).name); });

TEST(RandomModel, IsAValidFileThatDependsOnTheSeedAlone) {
  const ModelShape shape{.type = "Q4_K_M", .seed = 5};
  const std::vector<std::byte> bytes = write_model(shape);
  EXPECT_EQ(bytes, write_model(shape));
  EXPECT_NE(bytes, write_model({.type = "Q4_K_M", .seed = 6}));

  auto source = gguf::from_memory(bytes, "random");
  const auto file = gguf::read_file(source);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->tensors.size(), 3 + 9 * shape.layers);
  EXPECT_EQ(file->find("blk.1.ffn_down.weight")->dims, (std::array<std::uint64_t, 4>{shape.d_ff, shape.d_model, 1, 1}));
}

// The parts are one model, with the bytes of the whole one.
TEST(RandomModel, PartsAreTheWholeModel) {
  constexpr std::uint32_t kParts = 3;
  const ModelShape shape{.type = "Q4_K_M", .seed = 5};
  const std::vector<std::byte> whole_bytes = write_model(shape);
  std::vector<std::vector<std::byte>> bytes;
  for (std::uint32_t part = 0; part < kParts; ++part) bytes.push_back(write_model(shape, {part, kParts}));
  std::vector<gguf::File> files;
  for (std::uint32_t part = 0; part < kParts; ++part) {
    auto source = gguf::from_memory(bytes[part], fmt::format("part {}", part));
    auto file = gguf::read_file(source);
    ASSERT_TRUE(file) << file.error().message;
    files.push_back(*std::move(file));
  }
  const auto joined = gguf::join_parts(std::move(files));
  ASSERT_TRUE(joined) << joined.error().message;
  auto source = gguf::from_memory(whole_bytes, "whole");
  const auto whole = gguf::read_file(source);
  ASSERT_TRUE(whole) << whole.error().message;
  ASSERT_EQ(joined->tensors.size(), whole->tensors.size());
  for (const gguf::TensorInfo& tensor : joined->tensors) {
    const gguf::TensorInfo* const same = whole->find(tensor.name);
    ASSERT_NE(same, nullptr) << tensor.name;
    ASSERT_EQ(tensor.bytes, same->bytes) << tensor.name;
    const std::byte* const in_part = bytes[static_cast<std::size_t>(tensor.split)].data() + tensor.offset;
    EXPECT_EQ(std::memcmp(in_part, whole_bytes.data() + same->offset, static_cast<std::size_t>(tensor.bytes)), 0)
        << tensor.name;
  }
}

TEST(RandomModel, PresetOf8BIsPastWhat32BitsCanName) {
  auto shape = preset("8b");
  ASSERT_TRUE(shape);
  shape->type = "Q4_K_M";
  const auto tensors = random_tensors(*shape);
  ASSERT_TRUE(tensors) << tensors.error().message;
  std::uint64_t bytes = 0, weights = 0;
  for (const RandomTensor& tensor : *tensors) {
    const gguf::TensorTypeInfo& type = gguf::tensor_type_info(tensor.info.type);
    weights += tensor.info.elements();
    bytes += tensor.info.elements() / type.block_elements * type.block_bytes;
  }
  EXPECT_EQ(weights, 8'030'261'248);  // those of Llama 3.1 8B
  EXPECT_GT(bytes, std::uint64_t{9} << 29);
}

TEST(RandomModel, VocabularyIsUniqueAndReachableByMerging) {
  const gguf::Metadata metadata = random_metadata({.vocab = 4000});
  const auto& tokens = (*metadata.array("tokenizer.ggml.tokens"))->strings;
  ASSERT_EQ(tokens.size(), 4000);
  EXPECT_EQ((*metadata.array("tokenizer.ggml.scores"))->size(), 4000);
  EXPECT_EQ((*metadata.array("tokenizer.ggml.token_type"))->size(), 4000);
  const std::set<std::string> known(tokens.begin(), tokens.end());
  EXPECT_EQ(known.size(), tokens.size());
  const auto splits = [&](const std::string& token) {
    for (std::size_t cut = 1; cut < token.size(); ++cut) {
      if (known.contains(token.substr(0, cut)) && known.contains(token.substr(cut))) return true;
    }
    return false;
  };
  const std::size_t first_joined = 3 + 256 + 27;  // after the special tokens, the word boundary and the letters
  for (std::size_t i = first_joined; i < tokens.size(); ++i) ASSERT_TRUE(splits(tokens[i])) << tokens[i];
}

// What llama-quantize does with 16 layers: layers 0, 1, 4, 7, 10, 13, 14, 15 keep more bits.
TEST(RandomModel, MixSpendsBitsWhereQ4KMDoes) {
  const auto tensors = random_tensors({.layers = 16, .type = "Q4_K_M"});
  ASSERT_TRUE(tensors) << tensors.error().message;
  std::set<std::string> six_bits;
  for (const RandomTensor& tensor : *tensors) {
    if (tensor.info.type == TensorType::q6_k) six_bits.insert(tensor.info.name);
  }
  std::set<std::string> expected = {"output.weight"};
  for (const int layer : {0, 1, 4, 7, 10, 13, 14, 15}) {
    expected.insert(fmt::format("blk.{}.attn_v.weight", layer));
    expected.insert(fmt::format("blk.{}.ffn_down.weight", layer));
  }
  EXPECT_EQ(six_bits, expected);
}

TEST(RandomModel, RefusesShapesThatDoNotFit) {
  EXPECT_FALSE(random_tensors({.d_ff = 800, .type = "Q4_K"}));
  EXPECT_FALSE(random_tensors({.heads = 4, .kv_heads = 3}));
  EXPECT_FALSE(random_tensors({.layers = 0}));
  EXPECT_FALSE(random_tensors({.vocab = 100}));
  EXPECT_FALSE(random_tensors({.type = "Q9_9"}));
  EXPECT_TRUE(random_tensors({}));
}

}  // namespace
}  // namespace wisp::tools
