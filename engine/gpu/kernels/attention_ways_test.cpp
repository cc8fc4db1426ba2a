// Every way of attention gives the right answer on the software drivers, and the tuner finds one that does not.
#include "gpu/kernels/attention_ways.h"

#include <gtest/gtest.h>

#include "tests/gpu_devices.h"
#include "tests/gpu_tune.h"

namespace wisp::gpu {
namespace {

class GpuAttentionWays : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

TEST_P(GpuAttentionWays, AllAreRight) {
  const std::vector<AttentionSpec> specs = {
      {.kv_heads = 2, .queries = 4, .head_dim = 64, .kv_type = graph::KvType::f16, .listed = true},
      {.kv_heads = 3, .queries = 1, .head_dim = 80, .kv_type = graph::KvType::q8_0, .softcap = true, .listed = true},
      {.kv_heads = 1, .queries = 2, .head_dim = 48, .kv_type = graph::KvType::f32, .listed = true}};
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!test::is_turn_of(GetParam(), i)) continue;
    const TuningResult result = test::tune(*device_, attention_request(specs[i], 1.0, device_->info()));
    EXPECT_GE(result.chosen, 0);
    ASSERT_EQ(result.candidates.size(), kAttentionWays.size());
    for (const CandidateResult& one : result.candidates) {
      EXPECT_TRUE(one.verdict == Verdict::chosen || one.verdict == Verdict::slower)
          << result.key << ": " << one.name << " is " << verdict_name(one.verdict) << ": " << one.note;
      EXPECT_LE(one.error, 1e-5) << result.key << ": " << one.name;
    }
  }
}

// Keys that lie in one order are read in the other.
TEST_P(GpuAttentionWays, AWrongOrderIsNoticed) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  const AttentionSpec spec{.kv_heads = 2, .queries = 2, .head_dim = 64, .kv_type = graph::KvType::f16, .listed = true};
  TuningRequest request = attention_request(spec, 1.0, device_->info());
  request.make = [make = request.make](bool with_content) -> Result<TuningTask> {
    WISP_TRY(TuningTask task, make(with_content));
    task.candidates[0].dispatches[0].kernel = task.candidates[1].dispatches[0].kernel;
    return task;
  };
  const TuningResult result = test::tune(*device_, std::move(request));
  ASSERT_GE(result.chosen, 1);
  EXPECT_EQ(result.candidates[0].verdict, Verdict::wrong) << verdict_name(result.candidates[0].verdict);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuAttentionWays, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
