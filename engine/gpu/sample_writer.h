// What samples want, as words of the step buffer (kernels/sampling.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gpu/program.h"
#include "gpu/slot_ring.h"
#include "graph/async_executor.h"

namespace wisp::gpu {

// Whether the kernels can draw it. Not so where top-p has to look beyond the kMostTopK most likely tokens: the host
// sorts better.
bool device_samples(const graph::DeviceSample& sample, std::uint32_t vocabulary);

class SampleWriter {
 public:
  // Appends the samples' words, then what they point at; takes their places of `slots`, and counts which kernels they
  // need.
  void write(std::span<const graph::DeviceSample> samples, std::uint32_t vocabulary, SlotRing& slots,
             std::vector<std::uint32_t>& words, StepCounts& counts);

 private:
  void write_entries(const graph::DeviceSample& sample, std::uint32_t vocabulary, std::vector<std::uint32_t>& words);

  // Scratch: a token of the history, or of the bias.
  struct Entry {
    std::int32_t token;
    std::uint32_t times;
    float bias;
  };
  std::vector<Entry> entries_;
};

}  // namespace wisp::gpu
