#include "quant/block_format.h"

#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>
#include <optional>

#include "quant/k_blocks.h"
#include "tests/test_data.h"

namespace wisp::quant {
namespace {

struct Case {
  TensorType type;
  const char* file;  // name in the reference data
};

constexpr Case kCases[] = {
    {TensorType::f16, "f16"},   {TensorType::bf16, "bf16"}, {TensorType::q4_0, "q4_0"}, {TensorType::q4_1, "q4_1"},
    {TensorType::q5_0, "q5_0"}, {TensorType::q5_1, "q5_1"}, {TensorType::q8_0, "q8_0"}, {TensorType::q2_k, "q2_K"},
    {TensorType::q3_k, "q3_K"}, {TensorType::q4_k, "q4_K"}, {TensorType::q5_k, "q5_K"}, {TensorType::q6_k, "q6_K"},
};

// The index of the first value whose bits differ.
std::optional<std::size_t> first_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) return i;
  }
  return std::nullopt;
}

std::vector<float> decoded(TensorType type, std::span<const std::byte> bytes) {
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  std::vector<float> out(bytes.size() / info.block_bytes * info.block_elements);
  const Status status = decode(type, bytes, out);
  EXPECT_TRUE(status) << status.error().message;
  return out;
}

class DecodeGolden : public testing::TestWithParam<Case> {};

TEST_P(DecodeGolden, EveryBlockIsBitExact) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  const std::filesystem::path folder = *data / "dequant";
  std::ifstream index_file(folder / "index.json");
  const nlohmann::json entry = nlohmann::json::parse(index_file).at(GetParam().file);
  const std::string name = GetParam().file;
  std::vector<std::byte> blocks = test::read_bytes(folder / (name + ".blocks"));
  const std::vector<float> expected = test::read_floats(folder / (name + ".f32"));

  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(GetParam().type);
  ASSERT_EQ(info.block_elements, entry.at("block_elements").get<std::uint32_t>());
  ASSERT_EQ(info.block_bytes, entry.at("block_bytes").get<std::uint32_t>());
  ASSERT_EQ(blocks.size(), entry.at("n_blocks").get<std::size_t>() * info.block_bytes);

  EXPECT_EQ(first_difference(decoded(GetParam().type, blocks), expected), std::nullopt);

  // The comparison sees a single bit: a planted error in the last block turns it red.
  blocks.back() ^= std::byte{0x40};
  EXPECT_NE(first_difference(decoded(GetParam().type, blocks), expected), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, DecodeGolden, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.file); });

TEST(Decode, F32IsACopy) {
  const std::vector<float> values = {0.0F, -0.0F, 1.5F, std::bit_cast<float>(0x7FA00001u), 3e38F};
  EXPECT_EQ(first_difference(decoded(TensorType::f32, std::as_bytes(std::span(values))), values), std::nullopt);
}

TEST(Decode, WorksAtOddAddresses) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  for (const Case& test : kCases) {
    std::vector<std::byte> blocks = test::read_bytes(*data / "dequant" / (std::string(test.file) + ".blocks"));
    const std::vector<float> expected = test::read_floats(*data / "dequant" / (std::string(test.file) + ".f32"));
    blocks.insert(blocks.begin(), std::byte{0});
    EXPECT_EQ(first_difference(decoded(test.type, std::span(blocks).subspan(1)), expected), std::nullopt) << test.file;
  }
}

TEST(Decode, RefusesSizesThatDoNotAgree) {
  const std::vector<std::byte> two_blocks(36);
  std::vector<float> out(64);
  EXPECT_TRUE(decode(TensorType::q4_0, two_blocks, out));
  EXPECT_EQ(decode(TensorType::q4_0, std::span(two_blocks).first(35), out).error().code, Code::invalid_argument);
  EXPECT_EQ(decode(TensorType::q4_0, two_blocks, std::span(out).first(32)).error().code, Code::invalid_argument);
  EXPECT_EQ(decode(TensorType::q4_0, two_blocks, std::span(out).first(63)).error().code, Code::invalid_argument);
}

TEST(Decode, UnsupportedTypesAreNamed) {
  ASSERT_FALSE(is_supported(TensorType::iq2_xs));
  const auto format = block_format(TensorType::iq2_xs);
  ASSERT_FALSE(format);
  EXPECT_EQ(format.error().code, Code::unsupported);
  EXPECT_NE(format.error().message.find("IQ2_XS"), std::string::npos);
  EXPECT_NE(format.error().message.find("Q6_K"), std::string::npos) << "the supported ones are listed";
}

// The accessors that repacking relies on, against fields written bit by bit as the layout comment has them.
TEST(KBlocks, SixBitScalesAndMins) {
  ScalesMins packed{};
  const auto scale_of = [](int g) { return (g * 37 + 11) % 64; };
  const auto min_of = [](int g) { return (g * 23 + 62) % 64; };
  for (int g = 0; g < 4; ++g) {
    packed[g] = static_cast<std::uint8_t>(scale_of(g) | (scale_of(g + 4) >> 4) << 6);
    packed[g + 4] = static_cast<std::uint8_t>(min_of(g) | (min_of(g + 4) >> 4) << 6);
    packed[g + 8] = static_cast<std::uint8_t>((scale_of(g + 4) & 0xF) | (min_of(g + 4) & 0xF) << 4);
  }
  for (int g = 0; g < 8; ++g) {
    EXPECT_EQ(scale_min(packed, g).scale, scale_of(g)) << g;
    EXPECT_EQ(scale_min(packed, g).min, min_of(g)) << g;
  }
}

}  // namespace
}  // namespace wisp::quant
