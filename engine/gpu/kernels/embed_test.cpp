// Rows of a table by token, on the software drivers, against quant::decode: every type; tokens of another part of the
// table are left alone, and a negative token names the slot that it was sampled in.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "gpu/kernels/row_ops.h"
#include "gpu/step_buffer.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "quant/block_format.h"
#include "quant/random_blocks.h"
#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                               TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k, TensorType::q3_k,
                               TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

template <class Value>
std::vector<std::byte> bytes_of(const std::vector<Value>& values) {
  const auto raw = std::as_bytes(std::span(values));
  return {raw.begin(), raw.end()};
}

class GpuEmbed : public testing::TestWithParam<test::GpuDriver> {};

TEST_P(GpuEmbed, RowsAreWhatTheTableDecodesTo) {
  Device* device = test::gpu_device(GetParam());
  if (device == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  // The part of the table has the tokens 100..118; 7 and 119 are in other parts; -3 is what slot 2 sampled: 105.
  constexpr std::uint32_t kFirst = 100, kTokens = 19;
  const std::vector<std::int32_t> tokens = {118, 100, 7, -3, 119, 109};
  const std::vector<int> table_row = {18, 0, -1, 5, -1, 9};
  const std::vector<std::uint32_t> sampled = {1, 2, 105, 3};
  for (const TensorType type : kTypes) {
    const std::uint32_t columns = is_float_type(type) ? 75 : 256;
    const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
    std::vector<std::byte> table(std::size_t{columns} / info.block_elements * info.block_bytes * kTokens);
    quant::Random random(columns);
    quant::random_blocks(type, 1.0f, random, table);
    std::vector<float> expected(std::size_t{columns} * kTokens);
    ASSERT_TRUE(quant::decode(type, table, expected));
    const Result<PlaneBytes> room = plane_bytes(type, columns, kTokens);
    ASSERT_TRUE(room);
    std::vector<std::uint32_t> quants(room->quants / 4), scales(room->scales / 4);
    ASSERT_TRUE(repack(type, columns, kTokens, table, quants, scales));

    test::GpuRun run;
    Result<Kernel> kernel = embed_kernel(type, columns, device->info());
    ASSERT_TRUE(kernel) << kernel.error().message;
    run.kernel = std::move(*kernel);
    run.step.assign(static_cast<std::size_t>(StepWord::kWords), 0);
    run.step[static_cast<std::size_t>(StepWord::rows)] = static_cast<std::uint32_t>(tokens.size());
    run.step[static_cast<std::size_t>(StepWord::tokens)] = static_cast<std::uint32_t>(run.step.size());
    for (const std::int32_t token : tokens) run.step.push_back(static_cast<std::uint32_t>(token));
    constexpr std::uint32_t kOut = 8;
    run.arena.assign(kOut + tokens.size() * columns + 8, std::numeric_limits<float>::quiet_NaN());
    run.op = OpConstants::of(EmbedConstants{kOut, kFirst, kTokens});
    run.buffers.push_back(bytes_of(quants));
    if (!is_float_type(type)) run.buffers.push_back(bytes_of(scales));
    run.buffers.push_back(bytes_of(sampled));
    run.workgroups = {static_cast<std::uint32_t>(tokens.size()) + 1, 1, 1};  // one too many: it does nothing
    ASSERT_TRUE(test::run_on_gpu(*device, run)) << decoder_name(type);

    const std::span<const float> out = std::span(run.arena).subspan(kOut);
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < tokens.size(); ++row) {
      for (std::uint32_t column = 0; column < columns; ++column) {
        const float value = out[row * columns + column];
        if (table_row[row] < 0) {
          wrong += std::isnan(value) ? 0u : 1u;
          continue;
        }
        // Scale and minimum are rounded together or apart: the last places of the larger of both.
        const float want = expected[static_cast<std::size_t>(table_row[row]) * columns + column];
        const float tolerance = is_float_type(type) ? 0.0f : 2e-6f * std::max(1.0f, std::abs(want));
        if (!(std::abs(value - want) <= tolerance)) ++wrong;
      }
    }
    EXPECT_EQ(wrong, 0u) << decoder_name(type);
    EXPECT_TRUE(std::isnan(out[tokens.size() * columns])) << "what lies behind stays";
    EXPECT_TRUE(std::isnan(run.arena[kOut - 1])) << "and what lies before";
  }
}

INSTANTIATE_TEST_SUITE_P(Software, GpuEmbed, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
