// The tuner over real kernels on the software drivers, some of them planted: wrong, slow, past the limits, not WGSL at
// all.
#include "gpu/tuner/tuner.h"

#include <gtest/gtest.h>

#include "gpu/tuner/drift_watch.h"
#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

// arena[i] = 2 * arena[i] for 64 values, after `turns` of idle work.
TuningCandidate way(std::string name, int turns, std::string factor = "2.0") {
  TuningDispatch dispatch;
  dispatch.kernel.label = name;
  dispatch.kernel.workgroup = {64, 1, 1};
  dispatch.kernel.wgsl = fmt::format(R"(
@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
struct Op {{ turns: u32 }}
@group(0) @binding(2) var<uniform> op: Op;
@group(1) @binding(0) var<storage, read> zero: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {{
  var x = arena[lane];
  for (var i = 0u; i < op.turns; i++) {{ x = x + zero[i % 4u]; }}
  arena[lane] = x * {};
}})",
                                     factor);
  dispatch.kernel.bindings = {BindingKind::storage_read};
  dispatch.constants.resize(1);
  dispatch.constants[0].words[0] = static_cast<std::uint32_t>(turns);
  dispatch.buffers = {0};
  return {std::move(name), {std::move(dispatch)}};
}

TuningTask task_of(std::vector<TuningCandidate> candidates) {
  TuningTask task;
  task.step = {0};
  for (int i = 0; i < 64; ++i) {
    task.arena.push_back(static_cast<float>(i));
    task.expected.push_back(static_cast<float>(2 * i));
  }
  task.buffers = {std::vector<std::byte>(16)};
  task.candidates = std::move(candidates);
  return task;
}

TuningRequest request(std::string key, std::vector<TuningCandidate> candidates) {
  return {std::move(key), 1.0,
          [candidates = std::move(candidates)](bool) -> Result<TuningTask> { return task_of(candidates); }};
}

void finish(Device& device, Tuner& tuner) {
  while (true) {
    const Result<bool> done = tuner.poll();
    ASSERT_TRUE(done) << done.error().message;
    if (*done) return;
    ASSERT_TRUE(device.wait(tuner.waits_for())) << device.lost();
  }
}

std::string chosen(const Tuner& tuner, std::string_view key) {
  const TuningResult* result = tuner.result(key);
  return result == nullptr || result->chosen < 0 ? ""
                                                 : result->candidates[static_cast<std::size_t>(result->chosen)].name;
}

class GpuTuner : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  Device* device_ = nullptr;
};

TEST_P(GpuTuner, TakesTheFastAndLeavesTheWrong) {
  TuningMemory memory("a device");
  Tuner tuner(*device_, memory, TuneMode::full);
  TuningCandidate large = way("past the limits", 0);
  large.dispatches[0].kernel.workgroup = {65536, 1, 1};
  TuningCandidate broken = way("broken", 0);
  broken.dispatches[0].kernel.wgsl = "fn main() { nonsense }";
  TuningCandidate twice = way("separate", 0, "1.0");  // a slow way of two dispatches
  twice.dispatches.push_back(way("separate", 60000).dispatches[0]);
  tuner.ask(request("doubling", {way("slow", 60000), way("wrong", 0, "3.0"), large, broken, twice, way("fast", 1)}));
  finish(*device_, tuner);
  ASSERT_NE(tuner.result("doubling"), nullptr);
  const std::vector<CandidateResult>& found = tuner.result("doubling")->candidates;
  EXPECT_EQ(chosen(tuner, "doubling"), "fast");
  EXPECT_EQ(found[0].verdict, Verdict::slower);
  EXPECT_EQ(found[1].verdict, Verdict::wrong);
  EXPECT_NEAR(found[1].error, 0.5, 1e-6);
  EXPECT_EQ(found[2].verdict, Verdict::past_limits);
  EXPECT_EQ(found[3].verdict, Verdict::broken);
  EXPECT_NE(found[3].note.find("nonsense"), std::string::npos) << found[3].note;
  EXPECT_EQ(found[4].verdict, Verdict::slower);
  EXPECT_GT(found[0].nanoseconds, found[5].nanoseconds);
  EXPECT_EQ(device_->take_uncaptured_error(), "");
}

TEST_P(GpuTuner, WhatWasFoundIsRemembered) {
  TuningMemory memory("a device");
  const std::vector<TuningCandidate> ways = {way("slow", 60000), way("wrong", 0, "3.0"), way("fast", 1)};
  {
    Tuner tuner(*device_, memory, TuneMode::fast);
    tuner.ask(request("doubling", ways));
    finish(*device_, tuner);
    ASSERT_EQ(chosen(tuner, "doubling"), "fast");
  }
  Result<TuningMemory> later = TuningMemory::parse(memory.text(), "a device");
  ASSERT_TRUE(later) << later.error().message;
  Tuner tuner(*device_, *later, TuneMode::fast);
  tuner.ask(request("doubling", ways));
  finish(*device_, tuner);
  EXPECT_EQ(chosen(tuner, "doubling"), "fast");
  EXPECT_TRUE(tuner.result("doubling")->remembered);
  EXPECT_EQ(tuner.result("doubling")->candidates[1].verdict, Verdict::disabled);
  EXPECT_EQ(tuner.spent_nanoseconds(), 0u);
}

TEST_P(GpuTuner, SwitchedOffItTakesTheFirstThatWasNotWrong) {
  TuningMemory memory("a device");
  memory.disable("doubling", "first", "gave wrong numbers");
  Tuner tuner(*device_, memory, TuneMode::off);
  tuner.ask(request("doubling", {way("first", 0), way("second", 60000), way("third", 0)}));
  finish(*device_, tuner);
  EXPECT_EQ(chosen(tuner, "doubling"), "second");
  EXPECT_FALSE(tuner.result("doubling")->remembered);
}

TEST_P(GpuTuner, ADriftingKeyIsMeasuredAgain) {
  TuningMemory memory("a device");
  Tuner tuner(*device_, memory, TuneMode::fast);
  tuner.ask(request("doubling", {way("was fast", 1), way("other", 60000)}));
  finish(*device_, tuner);
  ASSERT_EQ(chosen(tuner, "doubling"), "was fast");
  DriftWatch watch;
  watch.promise("doubling", 1000);
  for (std::uint32_t i = 0; i < DriftWatch::kObservations; ++i) watch.observe("doubling", 2000);
  ASSERT_EQ(watch.take(), std::vector<std::string>{"doubling"});
  // In the middle of the run the way that was fast became slow.
  tuner.ask_again(request("doubling", {way("was fast", 60000), way("other", 1)}));
  finish(*device_, tuner);
  EXPECT_EQ(chosen(tuner, "doubling"), "other");
}

INSTANTIATE_TEST_SUITE_P(Software, GpuTuner, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

TEST(GpuTuningMemory, KeepsOtherDevicesApart) {
  TuningMemory memory("one");
  memory.remember("a key", {"a\tway", 12});
  memory.disable("a key", "b", "wrong\nnumbers");
  Result<TuningMemory> other = TuningMemory::parse(memory.text(), "two");
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_FALSE(other->find("a key"));
  other->remember("a key", {"another", 3});
  const Result<TuningMemory> back = TuningMemory::parse(other->text(), "one");
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_TRUE(back->find("a key"));
  EXPECT_EQ(back->find("a key")->candidate, "a way");
  EXPECT_EQ(back->find("a key")->nanoseconds, 12u);
  ASSERT_NE(back->disabled("a key", "b"), nullptr);
  EXPECT_EQ(*back->disabled("a key", "b"), "wrong numbers");
}

TEST(GpuTuningMemory, MalformedTextIsRefusedByLine) {
  const std::string head = "wisp tuning 1\ndevice\td\n";
  for (const std::string& text :
       {std::string("something else"), head + "choice\ta\tb\tmany", head + "choice\ta\tb", head + "\n",
        std::string("wisp tuning 1\nchoice\ta\tb\t1"), head + "choice\ta\tb\t99999999999999999999999"}) {
    const Result<TuningMemory> memory = TuningMemory::parse(text, "d");
    ASSERT_FALSE(memory) << text;
    EXPECT_EQ(memory.error().code, Code::invalid_file);
  }
  EXPECT_TRUE(TuningMemory::parse("", "d"));
}

TEST(GpuDriftWatch, OneSlowStepSaysNothing) {
  DriftWatch watch;
  for (int window = 0; window < 4; ++window) {
    for (std::uint32_t i = 0; i < DriftWatch::kObservations; ++i) watch.observe("k", i == 0 ? 4000 : 1000);
  }
  EXPECT_TRUE(watch.take().empty());
  for (std::uint32_t i = 0; i < DriftWatch::kObservations; ++i) watch.observe("k", 2500);
  EXPECT_EQ(watch.take().size(), 1u);
  EXPECT_TRUE(watch.take().empty());
}

}  // namespace
}  // namespace wisp::gpu
