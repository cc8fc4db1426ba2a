#include "gpu/tuning.h"

#include <algorithm>

#include "base/log.h"

namespace wisp::gpu {

void Tuning::open(Device& device) {
  close();
  device_ = &device;
  const std::string key = device_key(device.info());
  const std::string text = storage_ == nullptr ? std::string() : storage_->read(kTuningName);
  Result<TuningMemory> memory = TuningMemory::parse(text, key);
  if (!memory) log_warning("what was tuned before is not used: {}", memory.error().message);
  memory_ = std::make_unique<TuningMemory>(memory ? std::move(*memory) : TuningMemory(key));
  const TuneMode mode = mode_for(asked_mode_, device.info().type);
  active_ = mode != TuneMode::off || memory_->knows_any();
  tuner_ = std::make_unique<Tuner>(device, *memory_, mode);
}

void Tuning::close() {
  tuner_.reset();
  memory_.reset();
  device_ = nullptr;
  active_ = false;
  asked_.clear();
}

// The bytes that are read, and by a prompt less often than by an answer.
double Tuning::importance(const Question& question) const {
  return static_cast<double>(question.bytes) / question.rows;
}

void Tuning::ask(const Questions& questions) {
  for (const auto& [key, question] : questions) {
    if (!asked_.try_emplace(key, question).second) continue;
    settled_ = false;
    tuner_->ask(question.request(importance(question)));
  }
}

Result<bool> Tuning::poll() {
  if (settled_) return true;
  WISP_TRY(const bool done, tuner_->poll());
  if (!done) return false;
  settled_ = true;
  WISP_CHECK(take_answers());
  if (storage_ != nullptr && memory_->changed()) storage_->write(kTuningName, memory_->text());
  return true;
}

Status Tuning::take_answers() {
  for (const TuningResult& result : tuner_->results()) {
    const auto asked = asked_.find(result.key);
    if (asked == asked_.end()) continue;
    for (const CandidateResult& candidate : result.candidates) {
      if (candidate.verdict != Verdict::wrong && candidate.verdict != Verdict::broken) continue;
      log_warning("{}: the kernel '{}' of {} is not used: {}", device_->info().name, candidate.name, result.key,
                  candidate.note);
    }
    if (result.chosen < 0) {
      return fail(Code::internal, "{}: no kernel for {} gives right numbers", device_->info().name, result.key);
    }
    choices_.insert_or_assign(result.key, result.candidates[static_cast<std::size_t>(result.chosen)].name);
  }
  return {};
}

void Tuning::observe(const std::string& key, std::uint64_t nanoseconds, std::uint64_t resolution) {
  watch_.observe(key, nanoseconds, resolution);
}

bool Tuning::drifted() {
  bool any = false;
  for (const std::string& key : watch_.take()) {
    const auto asked = asked_.find(key);
    if (asked == asked_.end()) continue;
    log_warning("{}: {} takes longer than it did; its kernels are measured again", device_->info().name, key);
    tuner_->ask_again(asked->second.request(importance(asked->second)));
    any = true;
    settled_ = false;
  }
  return any;
}

}  // namespace wisp::gpu
