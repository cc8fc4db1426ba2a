// One thing that the device can do in several ways, with all that it takes to try them: inputs, the right answer, and
// the dispatches of each way. Kernel families make tasks; the tuner (tuner.h) knows nothing of what they compute.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

struct TuningDispatch {
  Kernel kernel;
  // At least one. Repeats take them in turn, so that a task can walk through more weights than the device's caches
  // hold; the probe takes the first.
  std::vector<OpConstants> constants;
  std::vector<std::size_t> buffers;  // of group 1, in order: indices into TuningTask::buffers
  std::array<std::uint32_t, 3> workgroups = {1, 1, 1};
};

// A fused way is one dispatch, a separate one several.
struct TuningCandidate {
  std::string name;  // stable between runs: it is what is remembered
  std::vector<TuningDispatch> dispatches;
};

struct TuningTask {
  std::vector<std::uint32_t> step;              // the step buffer
  std::vector<float> arena;                     // the arena before each probe
  std::vector<std::vector<std::byte>> buffers;  // of group 1, each a multiple of 4 bytes
  std::uint32_t output = 0;                     // word of the arena where the answer starts
  std::uint32_t output_words = 0;               // of which these many are read; 0: as many as are expected
  std::vector<std::uint32_t> probes;            // which of them are looked at; empty: the first ones
  std::vector<float> expected;                  // by probe, the answer of the scalar reference
  float tolerance = 1e-3f;                      // largest RMS of the difference, as a share of the answer's RMS
  std::vector<TuningCandidate> candidates;      // the first is taken where nothing may be measured
};

// A task by name, made only when its turn comes: its buffers are large.
struct TuningRequest {
  std::string key;          // "matvec q4_k 2048x8192 rows 1": the shape class and type, never a model's name
  double importance = 1.0;  // share of a step's work, roughly; the largest goes first
  // Without content only the candidates are wanted: nothing will be run.
  std::function<Result<TuningTask>(bool with_content)> make;
};

// Whether a device with these limits can run the kernel at all; the reason if not. Asked before anything is compiled.
Status fits(const Kernel& kernel, const Limits& limits);

// How far a way is off: RMS(actual - expected) / RMS(expected); infinite where a value is not finite.
double relative_error(std::span<const float> actual, std::span<const float> expected);

}  // namespace wisp::gpu
