#include "gpu/tuner/tuner.h"

#include <algorithm>
#include <utility>

namespace wisp::gpu {
namespace {

constexpr TimingEffort kFast = {.samples = 3, .sample_nanoseconds = 500'000, .most_repeats = 256};
constexpr TimingEffort kFull = {.samples = 9, .sample_nanoseconds = 4'000'000, .most_repeats = 512};

}  // namespace

TuneMode mode_for(TuneMode asked, AdapterType type) {
  return asked == TuneMode::fast && type == AdapterType::software ? TuneMode::off : asked;
}

void Tuner::ask(TuningRequest request) {
  const auto importance = [](const Question& question) { return question.request.importance; };
  const auto place = std::ranges::lower_bound(questions_, request.importance, {}, importance);
  questions_.insert(place, {std::move(request), false});
}

void Tuner::count_time(bool counts) {
  if (counts_ && run_ != nullptr) spent_ += clock_() - run_began_;
  run_began_ = clock_();
  counts_ = counts;
}

void Tuner::ask_again(TuningRequest request) {
  memory_.forget(request.key);
  questions_.push_back({std::move(request), true});
}

Result<bool> Tuner::answer_untried(const Question& question) {
  const std::string& key = question.request.key;
  const std::optional<Choice> known = memory_.find(key);
  const bool use_known = known && mode_ != TuneMode::full && !question.again;
  const bool out_of_time = mode_ == TuneMode::off || (mode_ == TuneMode::fast && spent_ >= kFastBudget);
  if (!use_known && !(out_of_time && !question.again)) return false;

  WISP_TRY(const TuningTask task, question.request.make(false));
  TuningResult result{.key = key, .candidates = {}, .chosen = -1, .remembered = false};
  for (std::size_t i = 0; i < task.candidates.size(); ++i) {
    const TuningCandidate& candidate = task.candidates[i];
    CandidateResult one{.name = candidate.name, .note = {}};
    for (const TuningDispatch& dispatch : candidate.dispatches) {
      measure_up(dispatch.kernel, one);
      const Status fitting = fits(dispatch.kernel, device_.info().limits);
      if (fitting) continue;
      one.verdict = Verdict::past_limits;
      one.note = fitting.error().message;
    }
    if (const std::string* reason = memory_.disabled(key, candidate.name)) {
      one.verdict = Verdict::disabled;
      one.note = *reason;
    }
    const bool known_way = use_known && known->candidate == candidate.name;
    if (one.verdict == Verdict::not_tried && (known_way || result.chosen < 0)) {
      result.chosen = static_cast<int>(i);
      result.remembered = known_way;
      if (known_way) one.nanoseconds = known->nanoseconds;
    }
    result.candidates.push_back(std::move(one));
  }
  // A way that is remembered but no longer offered: measure.
  if (use_known && !result.remembered && !out_of_time) return false;
  if (result.chosen >= 0) result.candidates[static_cast<std::size_t>(result.chosen)].verdict = Verdict::chosen;
  keep(std::move(result));
  return true;
}

Result<bool> Tuner::poll() {
  while (true) {
    if (run_ != nullptr) {
      WISP_TRY(const bool done, run_->poll());
      if (!done) return false;
      finish_run();
    }
    if (questions_.empty()) return true;
    Question question = std::move(questions_.back());
    questions_.pop_back();
    WISP_TRY(const bool answered, answer_untried(question));
    if (answered) continue;
    key_ = question.request.key;
    run_began_ = clock_();
    WISP_TRY(TuningTask task, question.request.make(true));
    run_ = std::make_unique<TuningRun>(device_, memory_, key_, std::move(task), mode_ == TuneMode::full ? kFull : kFast,
                                       clock_);
  }
}

void Tuner::finish_run() {
  TuningResult result{.key = key_, .candidates = run_->results(), .chosen = run_->chosen(), .remembered = false};
  run_.reset();
  if (counts_) spent_ += clock_() - run_began_;
  for (const CandidateResult& candidate : result.candidates) {
    if (candidate.verdict == Verdict::wrong || candidate.verdict == Verdict::broken) {
      memory_.disable(result.key, candidate.name, candidate.note);
    }
  }
  if (result.chosen >= 0) {
    const CandidateResult& chosen = result.candidates[static_cast<std::size_t>(result.chosen)];
    memory_.remember(result.key, {chosen.name, chosen.nanoseconds});
  }
  keep(std::move(result));
}

void Tuner::keep(TuningResult result) {
  const auto same = std::ranges::find(results_, result.key, &TuningResult::key);
  if (same == results_.end()) {
    results_.push_back(std::move(result));
  } else {
    *same = std::move(result);
  }
}

const TuningResult* Tuner::result(std::string_view key) const {
  const auto found = std::ranges::find(results_, key, &TuningResult::key);
  return found == results_.end() ? nullptr : &*found;
}

}  // namespace wisp::gpu
