// Every way of every question gives the right answer on the software drivers, and the tuner finds one that does not.
#include "gpu/kernels/matmul_ways.h"

#include <gtest/gtest.h>

#include "tests/gpu_devices.h"
#include "tests/gpu_tune.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;

class GpuMatMulWays : public testing::TestWithParam<test::GpuDriver> {
 protected:
  void SetUp() override {
    device_ = test::gpu_device(GetParam());
    if (device_ == nullptr) GTEST_SKIP() << test::no_gpu(GetParam());
  }
  TuningResult answer(TuningRequest request) { return test::tune(*device_, std::move(request)); }
  Device* device_ = nullptr;
};

// Everything that a model's matrices may ask for, in few questions.
std::vector<MatMulQuestion> questions() {
  std::vector<MatMulQuestion> all;
  MatMulSpec spec;
  spec.columns = 256;
  spec.matrices = {{TensorType::q4_k, 64, true}, {TensorType::q6_k, 24, true}, {TensorType::q8_0, 24, false}};
  spec.norm = true;
  all.push_back({spec, 1, true});
  spec = {};
  spec.columns = 320;
  spec.matrices = {{TensorType::q4_0, 96, false}, {TensorType::q5_1, 96, false}};
  spec.gated = spec.norm = true;
  spec.activation = graph::Activation::silu;
  all.push_back({spec, 4, true});
  all.push_back({spec, kManyRows, true});  // of all its rows
  spec = {};
  spec.columns = 608;
  spec.matrices = {{TensorType::f16, 40, true}};
  spec.residual = true;
  spec.activation = graph::Activation::gelu_tanh;
  all.push_back({spec, 2, false});
  return all;
}

TEST_P(GpuMatMulWays, AllAreRight) {
  std::size_t number = 0;
  for (const MatMulQuestion& question : questions()) {
    if (!test::is_turn_of(GetParam(), number++)) continue;
    const TuningResult result = answer(tuning_request(question, 1.0, device_->info()));
    EXPECT_GE(result.chosen, 0) << question_key(question);
    EXPECT_GE(result.candidates.size(), 2u) << question_key(question);
    for (const CandidateResult& one : result.candidates) {
      EXPECT_TRUE(one.verdict == Verdict::chosen || one.verdict == Verdict::slower)
          << question_key(question) << ": " << one.name << " is " << verdict_name(one.verdict) << ": " << one.note;
      EXPECT_LE(one.error, 1e-4) << question_key(question) << ": " << one.name;
      EXPECT_GT(one.nanoseconds, 0u);
    }
  }
}

// Of each kernel one letter is changed: the scale of a norm, a sum, an activation.
TEST_P(GpuMatMulWays, AWrongWayIsNoticed) {
  if (!test::is_turn_of(GetParam(), 1)) GTEST_SKIP() << "in full runs only";
  TuningRequest request = tuning_request(questions()[1], 1.0, device_->info());
  request.make = [make = request.make](bool with_content) -> Result<TuningTask> {
    WISP_TRY(TuningTask task, make(with_content));
    TuningCandidate& first = task.candidates.front();
    std::string& text = first.dispatches.back().kernel.wgsl;
    const std::size_t at = text.find("exp(-x)");
    EXPECT_NE(at, std::string::npos);
    text.replace(at, 7, "exp(x) ");
    return task;
  };
  const TuningResult result = answer(std::move(request));
  ASSERT_GE(result.chosen, 1);
  EXPECT_EQ(result.candidates[0].verdict, Verdict::wrong) << verdict_name(result.candidates[0].verdict);
}

TEST_P(GpuMatMulWays, LargeMatricesAreCut) {
  MatMulQuestion question;
  question.spec.columns = 4096;
  question.spec.matrices = {{TensorType::q4_k, 128'256, false}};
  question.int8 = true;
  const TuningRequest request = tuning_request(question, 1.0, device_->info());
  EXPECT_EQ(request.key, "q4_k 128256x4096, 1 row");
  const Result<TuningTask> task = request.make(true);
  ASSERT_TRUE(task) << task.error().message;
  std::size_t bytes = 0;
  for (const std::vector<std::byte>& buffer : task->buffers) bytes += buffer.size();
  EXPECT_LE(bytes, kTuningBytes);
  EXPECT_GE(bytes, kTuningBytes * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Software, GpuMatMulWays, testing::ValuesIn(test::gpu_drivers()), test::gpu_driver_name);

}  // namespace
}  // namespace wisp::gpu
