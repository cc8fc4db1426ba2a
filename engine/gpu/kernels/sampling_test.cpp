// Tokens chosen on the software drivers, against the host's sampler.
#include "gpu/kernels/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "gpu/sample_writer.h"
#include "gpu/step_buffer.h"
#include "sample/sampler.h"
#include "tests/gpu_devices.h"

namespace wisp::gpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// A row of logits, what is asked of it, and the tokens so far; the last `unread` of them only the device knows.
struct Wish {
  std::vector<float> logits;
  sample::SamplingParams params;
  std::vector<TokenId> history = {};
  std::uint32_t unread = 0;
  std::vector<std::uint32_t> mask = {};
  std::uint64_t position = 0;
};

class GpuSampling : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }

  // What the device chooses, by wish; row i of the logits is the last wish but i.
  std::vector<TokenId> choose(const std::vector<Wish>& wishes) {
    const auto rows = static_cast<std::uint32_t>(wishes.size());
    const auto vocabulary = static_cast<std::uint32_t>(wishes[0].logits.size());
    std::vector<std::int32_t> sampled(kSlots * kSlotDepth, -1);
    SlotRing slots;
    std::vector<graph::DeviceSample> samples;
    std::vector<float> arena;
    for (std::uint32_t i = 0; i < rows; ++i) {
      const Wish& wish = wishes[i];
      arena.insert(arena.begin(), wish.logits.begin(), wish.logits.end());
      const std::uint32_t slot = (5 * i + 2) % kSlots;
      for (std::uint32_t more = 0; more < i; ++more) slots.next(slot);  // rings that turned differently far
      const std::span known = std::span(wish.history).first(wish.history.size() - wish.unread);
      for (const TokenId token : std::span(wish.history).last(wish.unread)) sampled[slots.next(slot)] = token;
      samples.push_back({.logit_row = rows - 1 - i,
                         .slot = slot,
                         .temperature = wish.params.temperature,
                         .top_k = wish.params.top_k,
                         .top_p = wish.params.top_p,
                         .min_p = wish.params.min_p,
                         .repeat_penalty = wish.params.repeat_penalty,
                         .frequency_penalty = wish.params.frequency_penalty,
                         .presence_penalty = wish.params.presence_penalty,
                         .seed = wish.params.seed,
                         .position = wish.position,
                         .history = known,
                         .unread = wish.unread,
                         .bias = wish.params.logit_bias,
                         .mask = wish.mask});
      EXPECT_TRUE(device_samples(samples.back(), vocabulary));
    }
    std::vector<std::uint32_t> step(static_cast<std::size_t>(StepWord::kWords));
    step[static_cast<std::size_t>(StepWord::samples)] = static_cast<std::uint32_t>(step.size());
    StepCounts counts;
    SampleWriter().write(samples, vocabulary, slots, step, counts);

    const std::uint32_t parts = argmax_parts_grid(vocabulary)[0].count;
    const SampleConstants constants{0, static_cast<std::uint32_t>(arena.size()), vocabulary, parts};
    arena.resize(arena.size() + std::size_t{2} * rows * parts);
    std::vector<std::byte> places(sampled.size() * 4), results(std::size_t{4} * kSlots);
    std::memcpy(places.data(), sampled.data(), places.size());
    const auto run = [&](Result<Kernel> kernel, std::array<std::uint32_t, 3> workgroups) {
      ASSERT_TRUE(kernel) << kernel.error().message;
      test::GpuRun one{.kernel = std::move(*kernel), .step = step, .arena = std::move(arena), .op = {}, .buffers = {}};
      one.op = OpConstants::of(constants);
      one.workgroups = workgroups;
      if (!one.kernel.bindings.empty()) one.buffers.push_back(places);
      if (one.kernel.bindings.size() > 1) one.buffers.push_back(results);
      ASSERT_TRUE(test::run_on_gpu(*device_, one));
      arena = std::move(one.arena);
      if (one.buffers.size() < 2) return;
      places = one.buffers[0];
      results = one.buffers[1];
    };
    const DeviceInfo& info = device_->info();
    if (counts.adjusted > 0) run(adjust_kernel(info), {rows, 1, 1});
    if (counts.masked > 0) run(mask_kernel(info), {parts, rows, 1});
    run(argmax_parts_kernel(info), {parts, rows, 1});
    run(argmax_join_kernel(info), {rows, 1, 1});
    if (counts.top_draws > 0) run(draw_top_kernel(info), {rows, 1, 1});
    if (counts.all_draws > 0) run(draw_all_kernel(info), {rows, 1, 1});

    std::vector<TokenId> chosen(rows);
    std::memcpy(chosen.data(), results.data(), std::size_t{4} * rows);
    std::memcpy(sampled.data(), places.data(), places.size());
    for (std::uint32_t i = 0; i < rows; ++i) EXPECT_EQ(sampled[slots.last(samples[i].slot)], chosen[i]) << i;
    return chosen;
  }

  static TokenId of_host(const Wish& wish) {
    const std::size_t n = wish.logits.size();
    std::vector<float> logits = wish.logits;
    for (std::size_t i = 0; i < n && !wish.mask.empty(); ++i) {
      if ((wish.mask[i / 32] >> (i % 32) & 1) == 0) logits[i] = -kInfinity;
    }
    sample::SamplerScratch scratch(n);
    const auto sampler = sample::Sampler::create(wish.params, n);
    EXPECT_TRUE(sampler) << (sampler ? "" : sampler.error().message);
    const Result<TokenId> token = sampler->sample(logits, wish.history, wish.position, scratch);
    return token ? *token : -1;
  }

  Device* device_ = nullptr;
};

TEST_P(GpuSampling, TheMostLikelyIsTheHosts) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0f, 3.0f);
  // Around a workgroup's lanes, a part, and the lanes of the join; the largest is a real vocabulary's.
  for (const std::uint32_t vocabulary : {1u, 40u, 255u, 4096u, 4097u, 151936u}) {
    Wish greedy{.logits = std::vector<float>(vocabulary), .params = {}};
    greedy.params.temperature = 0.0f;
    std::vector<Wish> wishes(5, greedy);
    for (float& logit : wishes[0].logits) logit = normal(random);
    // Ties of many, all negative; everything but one unusable; nothing usable; infinity, and zeros of both signs.
    for (float& logit : wishes[1].logits) logit = -1.0f - static_cast<float>(random() % 3);
    for (float& logit : wishes[2].logits) logit = random() % 2 == 0 ? kNaN : -kInfinity;
    wishes[2].logits[vocabulary / 2] = -std::numeric_limits<float>::max();
    for (float& logit : wishes[3].logits) logit = random() % 2 == 0 ? -kNaN : -kInfinity;
    for (float& logit : wishes[4].logits) logit = random() % 2 == 0 ? 0.0f : -0.0f;
    if (vocabulary > 1000) wishes[4].logits[777] = wishes[4].logits[900] = kInfinity;
    const std::vector<TokenId> chosen = choose(wishes);
    for (std::size_t i = 0; i < wishes.size(); ++i) {
      EXPECT_EQ(chosen[i], sample::argmax(wishes[i].logits)) << "row " << i << " of " << vocabulary;
    }
  }
}

// Every parameter alone and together, over shapes of logits; the device sums in floats and its exp() is another, so a
// draw that falls between two tokens may fall to the other side: one in a thousand at most.
TEST_P(GpuSampling, DrawsAreTheHosts) {
  std::mt19937 random(11);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  std::size_t differ = 0, drawn = 0;
  constexpr int kRounds = 6;
  for (const std::uint32_t vocabulary : {2u, 97u, 256u, 300u, 5000u}) {
    for (int round = 0; round < kRounds; ++round) {
      if (!test::is_turn_of(GetParam(), static_cast<std::size_t>(round))) continue;
      std::vector<Wish> wishes(kSlots / 2);
      for (Wish& wish : wishes) {
        std::normal_distribution<float> normal(0.0f, below(2) == 0 ? 1.0f : 4.0f);
        for (std::uint32_t i = 0; i < vocabulary; ++i) {
          const float logit = normal(random);
          wish.logits.push_back(round % 3 == 2 ? std::round(logit) : logit);  // ties everywhere
        }
        for (std::uint32_t i = below(4); i > 0; --i) wish.logits[below(vocabulary)] = below(2) == 0 ? kNaN : -kInfinity;
        sample::SamplingParams& params = wish.params;
        params.temperature = below(8) == 0 ? 0.0f : 0.3f + 0.2f * static_cast<float>(below(8));
        params.top_k = below(3) == 0 ? 1 : static_cast<std::int32_t>(below(kMostTopK) + 1);
        params.top_p = below(2) == 0 ? 1.0f : 0.05f * static_cast<float>(1 + below(19));
        params.min_p = below(2) == 0 ? 0.0f : 0.02f * static_cast<float>(1 + below(10));
        if (below(3) == 0) {
          params.top_k = 0;
          if (vocabulary > kMostTopK) params.top_p = 1.0f;
        }
        params.seed = random();
        wish.position = random();
        params.penalty_last_n = -1;
        if (below(2) == 0) {
          params.repeat_penalty = 1.0f + 0.3f * static_cast<float>(below(3));
          params.frequency_penalty = 0.5f * static_cast<float>(below(3));
          params.presence_penalty = 0.7f;
          for (std::uint32_t i = below(90); i > 0; --i) {
            wish.history.push_back(static_cast<TokenId>(below(std::min(vocabulary, 60u))));
          }
          wish.unread = below(std::min(static_cast<std::uint32_t>(wish.history.size()) + 1, kSlotDepth));
        }
        for (std::uint32_t i = below(5); i > 0; --i) {
          params.logit_bias.emplace_back(static_cast<TokenId>(below(vocabulary)), below(4) == 0 ? -kInfinity : 2.5f);
        }
        if (below(3) == 0) {
          for (std::uint32_t i = 0; i < (vocabulary + 31) / 32; ++i)
            wish.mask.push_back(static_cast<std::uint32_t>(random()) | 1u);
        }
      }
      const std::vector<TokenId> chosen = choose(wishes);
      for (std::size_t i = 0; i < wishes.size(); ++i) {
        ++drawn;
        const TokenId expected = of_host(wishes[i]);
        if (chosen[i] == expected) continue;
        ++differ;
        const sample::SamplingParams& params = wishes[i].params;
        // Near enough that it can be a matter of rounding: the neighbour is not checked, the number of them is.
        RecordProperty("differs",
                       fmt::format("{} of {}, not {}: temperature {}, top_k {}, top_p {}, min_p {}", chosen[i],
                                   vocabulary, expected, params.temperature, params.top_k, params.top_p, params.min_p));
      }
    }
  }
  EXPECT_GE(drawn, 5u * kSlots);
  EXPECT_LE(differ, drawn / 1000 + 1) << "of " << drawn;
}

TEST_P(GpuSampling, LeavesWideNucleiToTheHost) {
  graph::DeviceSample sample;
  sample.temperature = 1.0f;
  sample.top_p = 0.9f;
  EXPECT_FALSE(device_samples(sample, 32000));
  EXPECT_TRUE(device_samples(sample, kMostTopK));
  sample.top_k = static_cast<std::int32_t>(kMostTopK) + 1;
  EXPECT_FALSE(device_samples(sample, 32000));
  sample.top_k = static_cast<std::int32_t>(kMostTopK);
  EXPECT_TRUE(device_samples(sample, 32000));
  sample.top_k = 0;
  sample.top_p = 1.0f;
  sample.min_p = 0.1f;
  EXPECT_TRUE(device_samples(sample, 32000));
}

INSTANTIATE_TEST_SUITE_P(Software, GpuSampling, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
