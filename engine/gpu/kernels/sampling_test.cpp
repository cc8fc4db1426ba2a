// Tokens chosen on the software drivers, against the host's sampler.
#include "gpu/kernels/sampling.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "gpu/slot_ring.h"
#include "gpu/step_buffer.h"
#include "sample/sampler.h"
#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class GpuSampling : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }

  // The choice of the device from each row of `logits` [rows, vocabulary], rows taken last to first.
  std::vector<std::int32_t> choose(const std::vector<float>& logits, std::uint32_t vocabulary) {
    const auto rows = static_cast<std::uint32_t>(logits.size()) / vocabulary;
    const std::uint32_t parts = argmax_parts_grid(vocabulary)[0].count;
    test::GpuRun first;
    first.kernel = *argmax_parts_kernel(device_->info());
    first.step.resize(static_cast<std::size_t>(StepWord::kWords));
    first.step[static_cast<std::size_t>(StepWord::samples)] = static_cast<std::uint32_t>(StepWord::kWords);
    for (std::uint32_t i = 0; i < rows; ++i) {
      first.step.push_back(rows - 1 - i);
      first.step.push_back(place(i));
    }
    first.arena = logits;
    const auto partials = static_cast<std::uint32_t>(logits.size());
    first.arena.resize(partials + 2 * rows * parts);
    first.op = OpConstants::of(ArgmaxPartsConstants{0, partials, vocabulary, parts});
    first.workgroups = {parts, rows, 1};
    EXPECT_TRUE(test::run_on_gpu(*device_, first));

    test::GpuRun second;
    second.kernel = *argmax_join_kernel(device_->info());
    second.step = first.step;
    second.arena = first.arena;
    second.op = OpConstants::of(ArgmaxJoinConstants{partials, parts});
    second.workgroups = {rows, 1, 1};
    second.buffers = {std::vector<std::byte>(std::size_t{4} * kSlots * kSlotDepth), std::vector<std::byte>(4 * kSlots)};
    EXPECT_TRUE(test::run_on_gpu(*device_, second));
    std::vector<std::int32_t> chosen(rows);
    for (std::uint32_t i = 0; i < rows; ++i) {
      std::int32_t sampled = 0, result = 0;
      std::memcpy(&sampled, second.buffers[0].data() + std::size_t{4} * place(i), 4);
      std::memcpy(&result, second.buffers[1].data() + std::size_t{4} * i, 4);
      EXPECT_EQ(sampled, result);
      chosen[rows - 1 - i] = result;
    }
    return chosen;
  }
  static std::uint32_t place(std::uint32_t sample) { return 7 * sample + 3; }

  Device* device_ = nullptr;
};

TEST_P(GpuSampling, TakesWhatTheHostTakes) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0f, 3.0f);
  // Around a workgroup's lanes, a part, and the lanes of the join; the largest is a real vocabulary's.
  for (const std::uint32_t vocabulary : {1u, 40u, 255u, 4096u, 4097u, 151936u}) {
    std::vector<float> logits(std::size_t{5} * vocabulary);
    for (float& logit : logits) logit = normal(random);
    const auto row = [&](std::size_t i) { return std::span(logits).subspan(i * vocabulary, vocabulary); };
    // Ties of many, all negative; everything but one unusable; nothing usable; infinity, and zeros of both signs.
    for (float& logit : row(1)) logit = -1.0f - static_cast<float>(random() % 3);
    for (float& logit : row(2)) logit = random() % 2 == 0 ? kNaN : -kInfinity;
    row(2)[vocabulary / 2] = -std::numeric_limits<float>::max();
    for (float& logit : row(3)) logit = random() % 2 == 0 ? -kNaN : -kInfinity;
    for (float& logit : row(4)) logit = random() % 2 == 0 ? 0.0f : -0.0f;
    if (vocabulary > 1000) row(4)[777] = row(4)[900] = kInfinity;
    const std::vector<std::int32_t> chosen = choose(logits, vocabulary);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(chosen[i], sample::argmax(row(i))) << "row " << i << " of " << vocabulary;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Software, GpuSampling, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
