// What the executor knows of the best ways to compute things: asked of the tuner when a plan needs it, remembered from
// run to run, measured again when it drifts. Lives longer than a device.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gpu/lower.h"
#include "gpu/storage.h"
#include "gpu/tuner/drift_watch.h"
#include "gpu/tuner/tuner.h"

namespace wisp::gpu {

// Its name in the storage.
inline constexpr std::string_view kTuningName = "tuning";

class Tuning {
 public:
  // `storage` may be nullptr, and outlives this.
  Tuning(TuneMode mode, Storage* storage) : asked_mode_(mode), storage_(storage) {}

  // A device has come: what is remembered of it is read.
  void open(Device& device);
  // It goes, and with it what was being measured.
  void close();

  // Whether anything can come of asking: not where tuning is off and nothing is remembered.
  [[nodiscard]] bool active() const { return active_; }
  // Asks what was not asked yet.
  void ask(const Questions& questions);
  // Whether somebody waits for it: time counts against what tuning may take.
  void count_time(bool counts) {
    if (tuner_ != nullptr) tuner_->count_time(counts);
  }
  // Moves on. True: all that was asked has an answer. Code::internal where no way of something works.
  Result<bool> poll();
  [[nodiscard]] Ticket waits_for() const { return tuner_ == nullptr ? Ticket::none : tuner_->waits_for(); }
  [[nodiscard]] const Choices& choices() const { return choices_; }

  // A measured run of a question's way inside a step. Where it has drifted it is asked again; drifted() then says so
  // once, and poll() measures.
  void observe(const std::string& key, std::uint64_t nanoseconds, std::uint64_t resolution);
  bool drifted();

  [[nodiscard]] std::uint64_t spent_nanoseconds() const { return tuner_ == nullptr ? 0 : tuner_->spent_nanoseconds(); }

 private:
  Status take_answers();
  [[nodiscard]] double importance(const Question& question) const;

  TuneMode asked_mode_;
  Storage* storage_;
  Device* device_ = nullptr;
  bool active_ = false;
  std::unique_ptr<TuningMemory> memory_;
  std::unique_ptr<Tuner> tuner_;
  Questions asked_;
  bool settled_ = true;  // nothing was asked since the last answers were taken
  Choices choices_;
  DriftWatch watch_;
};

}  // namespace wisp::gpu
