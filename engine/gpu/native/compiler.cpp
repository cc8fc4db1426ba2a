#include "gpu/native/compiler.h"

#include <algorithm>
#include <utility>

#include "gpu/native/error_scope.h"

namespace wisp::gpu {
namespace {

// More threads than this only fight over the driver's locks.
constexpr unsigned kMostThreads = 8;

}  // namespace

Compiler::Compiler(const WebGpu& api, WGPUDevice device) : api_(api), device_(device) {}

Compiler::~Compiler() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (const Job& job : jobs_) api_.PipelineLayoutRelease(job.layout);
  for (const Done& done : done_) {
    if (done.compiled != nullptr) api_.ComputePipelineRelease(done.compiled);
  }
}

void Compiler::add(Job job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  ++under_way_;
  const unsigned most = std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
  if (threads_.size() < most && threads_.size() < under_way_) threads_.emplace_back([this] { work(); });
  changed_.notify_all();
}

std::vector<Compiler::Done> Compiler::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

bool Compiler::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !done_.empty() || under_way_ == 0; });
  return !done_.empty();
}

void Compiler::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    Done done = compile(job);
    lock.lock();
    done_.push_back(std::move(done));
    --under_way_;
    changed_.notify_all();
  }
}

Compiler::Done Compiler::compile(const Job& job) {
  const ErrorScope scope;
  WGPUShaderSourceWGSL source = {};
  source.chain.sType = WGPUSType_ShaderSourceWGSL;
  source.code = view(job.wgsl);
  WGPUShaderModuleDescriptor module_descriptor = {};
  module_descriptor.nextInChain = &source.chain;
  module_descriptor.label = view(job.label);
  WGPUShaderModule module = api_.DeviceCreateShaderModule(device_, &module_descriptor);

  WGPUComputePipelineDescriptor descriptor = {};
  descriptor.label = view(job.label);
  descriptor.layout = job.layout;
  descriptor.compute.module = module;
  descriptor.compute.entryPoint = view("main");
  WGPUComputePipeline pipeline = api_.DeviceCreateComputePipeline(device_, &descriptor);

  if (module != nullptr) api_.ShaderModuleRelease(module);
  api_.PipelineLayoutRelease(job.layout);
  if (scope.failed() && pipeline != nullptr) {
    api_.ComputePipelineRelease(pipeline);
    pipeline = nullptr;
  }
  std::string message = scope.message();
  if (pipeline == nullptr && message.empty()) message = "the library gave no pipeline and no reason";
  return {job.pipeline, job.ticket, pipeline, std::move(message)};
}

}  // namespace wisp::gpu
