#include "graph/integer_row.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "graph/int8_activations.h"
#include "quant/block_format.h"
#include "quant/random_blocks.h"

namespace wisp::graph {
namespace {

using gguf::TensorType;

class IntegerRows : public testing::TestWithParam<TensorType> {};

// scale * u + minimum is what the decoder gives, up to the one rounding by which an affine decode differs.
TEST_P(IntegerRows, SayWhatTheDecoderSays) {
  constexpr std::size_t kColumns = 1024;
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(GetParam());
  std::vector<std::byte> bytes(kColumns / info.block_elements * info.block_bytes);
  quant::Random random(3);
  quant::random_blocks(GetParam(), 0.1f, random, bytes);
  std::vector<float> decoded(kColumns);
  ASSERT_TRUE(quant::decode(GetParam(), bytes, decoded));

  IntegerRow row;
  unpack_integer_row(GetParam(), bytes, row);
  ASSERT_EQ(row.u.size(), kColumns);
  ASSERT_EQ(row.scales.size() * row.sub_block, kColumns);
  for (std::size_t i = 0; i < kColumns; ++i) {
    const std::size_t b = i / row.sub_block;
    const float product = row.scales[b] * static_cast<float>(row.u[i]);
    ASSERT_EQ(row.minimums.empty() ? product : product + row.minimums[b], decoded[i]) << "element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, IntegerRows,
                         testing::Values(TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                                         TensorType::q8_0, TensorType::q2_k, TensorType::q3_k, TensorType::q4_k,
                                         TensorType::q5_k, TensorType::q6_k),
                         [](const auto& test) { return std::string(gguf::tensor_type_info(test.param).name); });

using Block = std::array<float, kActivationBlock>;
using Rounded = std::array<std::int8_t, kActivationBlock>;

TEST(Int8Activations, RoundToNearestEvenOf127) {
  Block x{};
  x[0] = -127.0f;
  x[1] = 2.5f;
  x[2] = 3.5f;
  x[3] = -0.5f;
  x[4] = 126.4f;
  Rounded q;
  EXPECT_EQ(quantize_activation_block(x, q), 1.0f);
  EXPECT_EQ(q[0], -127);
  EXPECT_EQ(q[1], 2);
  EXPECT_EQ(q[2], 4);
  EXPECT_EQ(q[3], 0);
  EXPECT_EQ(q[4], 126);
}

TEST(Int8Activations, AreDefinedForEveryInput) {
  Rounded q;
  EXPECT_EQ(quantize_activation_block(Block{}, q), 0.0f);
  EXPECT_EQ(q, Rounded{});
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max()}) {
    Block x{};
    x[5] = bad;
    x[6] = -bad;
    (void)quantize_activation_block(x, q);
    for (const std::int8_t value : q) EXPECT_GE(value, -127);
  }
}

}  // namespace
}  // namespace wisp::graph
