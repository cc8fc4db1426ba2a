// Compiles pipelines on threads of its own: the library has no asynchronous creation.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gpu/device/device.h"
#include "gpu/native/library.h"

namespace wisp::gpu {

class Compiler {
 public:
  struct Job {
    PipelineId pipeline;
    Ticket ticket;
    std::string wgsl;
    std::string label;
    WGPUPipelineLayout layout;  // owned by the job
  };
  struct Done {
    PipelineId pipeline;
    Ticket ticket;
    WGPUComputePipeline compiled;  // nullptr: it does not compile, for the reason in `message`
    std::string message;
  };

  Compiler(const WebGpu& api, WGPUDevice device);
  ~Compiler();  // finishes what was begun
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

  void add(Job job);
  // What was finished since the last call.
  std::vector<Done> take();
  // Blocks until something is finished; false where nothing is under way.
  bool wait();

 private:
  void work();
  Done compile(const Job& job);

  const WebGpu& api_;
  WGPUDevice device_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<Done> done_;
  std::size_t under_way_ = 0;  // in jobs_ or being compiled
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace wisp::gpu
