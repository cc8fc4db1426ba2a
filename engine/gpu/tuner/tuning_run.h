// Tries the ways of one task on the device: compiles those that fit, probes each against the right answer, times the
// honest ones in turns, and says what was found. Never waits: poll() until it is done.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gpu/device/commands.h"
#include "gpu/device/device.h"
#include "gpu/tuner/sample_length.h"
#include "gpu/tuner/tuning_memory.h"
#include "gpu/tuner/tuning_task.h"

namespace wisp::gpu {

enum class Verdict : std::uint8_t {
  not_tried,    // nothing was measured, for want of time or because tuning is off
  past_limits,  // refused before it was compiled
  disabled,     // known from an earlier run to be wrong
  broken,       // does not compile
  wrong,        // its numbers are off
  slower,
  chosen,
};
std::string_view verdict_name(Verdict verdict);

struct CandidateResult {
  std::string name;
  Verdict verdict = Verdict::not_tried;
  std::uint64_t nanoseconds = 0;      // median of one run; 0: not timed
  double error = 0.0;                 // of the probe, relative_error()
  std::uint32_t invocations = 0;      // largest workgroup of its dispatches
  std::uint32_t workgroup_bytes = 0;  // most workgroup memory of its dispatches
  std::string note;                   // why it was refused
};

// Notes what a kernel takes of a workgroup's limits.
void measure_up(const Kernel& kernel, CandidateResult& result);

class TuningRun {
 public:
  // All outlive the run; `clock` in nanoseconds times where the device has no timestamps.
  TuningRun(Device& device, const TuningMemory& memory, std::string_view key, TuningTask task, TimingEffort effort,
            std::uint64_t (*clock)());
  ~TuningRun();
  TuningRun(const TuningRun&) = delete;
  TuningRun& operator=(const TuningRun&) = delete;

  // Moves on as far as the device has answered. True: done. Code::device when the device is lost.
  Result<bool> poll();
  [[nodiscard]] const std::vector<CandidateResult>& results() const { return results_; }
  // The fastest honest way, or the first that is not refused; -1 where none is left.
  [[nodiscard]] int chosen() const { return chosen_; }
  // What poll() waits for, for callers that may block. Ticket::none when done.
  [[nodiscard]] Ticket waits_for() const { return pending_.empty() ? Ticket::none : pending_.front(); }

 private:
  enum class Phase : std::uint8_t { compile, probe, time, done };
  struct Pipeline {
    PipelineId id = PipelineId::none;
    LayoutId layout = LayoutId::none;
    BindGroupId group = BindGroupId::none;
  };
  struct Way {
    std::vector<Pipeline> pipelines;  // one a dispatch
    std::vector<Ticket> compiling;
    std::vector<std::uint32_t> first_slots;  // in the op buffer, one a dispatch
    std::uint32_t repeats = 1;
    std::vector<std::uint64_t> samples;  // nanoseconds of one run
    [[nodiscard]] bool in(const CandidateResult& result) const { return result.verdict == Verdict::not_tried; }
  };

  void start();
  void compile(Way& way, const TuningCandidate& candidate);
  void finish_compiling();
  void record(Commands& commands, std::size_t way, std::uint32_t repeats) const;
  void start_probe();
  void finish_probe();
  bool start_sample();
  void finish_sample();
  void choose();
  void refuse(std::size_t way, Verdict verdict, std::string note);
  bool next_way(bool from_start);

  Device& device_;
  const TuningMemory& memory_;
  TuningTask task_;
  TimingEffort effort_;
  std::uint64_t (*clock_)();
  Phase phase_ = Phase::compile;
  std::vector<CandidateResult> results_;
  std::vector<Way> ways_;
  int chosen_ = -1;
  std::size_t way_ = 0;  // the one that is probed or timed
  std::uint32_t round_ = 0;
  std::vector<Ticket> pending_;

  Commands commands_;
  LayoutId shared_layout_ = LayoutId::none;
  BindGroupId shared_group_ = BindGroupId::none;
  std::vector<BufferId> made_;  // every buffer, to be destroyed
  BufferId arena_ = BufferId::none;
  std::vector<BufferId> buffers_;
  std::vector<OpConstants> slots_;
  QuerySetId queries_ = QuerySetId::none;
  BufferId resolved_ = BufferId::none;
  std::vector<float> answer_, probed_;
  std::array<std::uint64_t, 2> stamps_ = {};
  std::uint64_t stamp_bits_ = 0;  // of all that were read
  std::uint64_t begin_ns_ = 0;
};

}  // namespace wisp::gpu
