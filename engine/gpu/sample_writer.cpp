#include "gpu/sample_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "gpu/kernels/sampling.h"
#include "sample/random.h"

namespace wisp::gpu {
namespace {

// ln(min_p) where there is none: what is so far behind has no weight at any temperature.
constexpr float kAnyDistance = -1e30f;

bool penalizes(const graph::DeviceSample& sample) {
  return sample.repeat_penalty != 1.0f || sample.frequency_penalty != 0.0f || sample.presence_penalty != 0.0f;
}

// How many of the most likely tokens may be drawn, top-p and min-p aside.
std::uint32_t most_candidates(const graph::DeviceSample& sample, std::uint32_t vocabulary) {
  return sample.top_k > 0 ? std::min(static_cast<std::uint32_t>(sample.top_k), vocabulary) : vocabulary;
}

SampleDraw draw_of(const graph::DeviceSample& sample, std::uint32_t vocabulary) {
  if (sample.temperature <= 0.0f) return SampleDraw::none;
  const bool cuts = most_candidates(sample, vocabulary) < vocabulary || sample.top_p < 1.0f;
  return cuts ? SampleDraw::top : SampleDraw::all;
}

}  // namespace

bool device_samples(const graph::DeviceSample& sample, std::uint32_t vocabulary) {
  return draw_of(sample, vocabulary) != SampleDraw::top || most_candidates(sample, vocabulary) <= kMostTopK;
}

void SampleWriter::write(std::span<const graph::DeviceSample> samples, std::uint32_t vocabulary, SlotRing& slots,
                         std::vector<std::uint32_t>& words, StepCounts& counts) {
  const std::size_t begin = words.size();
  words.resize(begin + samples.size() * kSampleWords);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const graph::DeviceSample& sample = samples[i];
    const auto put = [&](SampleWord word, auto value) {
      static_assert(sizeof(value) == 4);
      words[begin + i * kSampleWords + static_cast<std::size_t>(word)] = std::bit_cast<std::uint32_t>(value);
    };
    const SampleDraw draw = draw_of(sample, vocabulary);
    put(SampleWord::logit_row, sample.logit_row);
    put(SampleWord::draw, static_cast<std::uint32_t>(draw));
    put(SampleWord::top_k, most_candidates(sample, vocabulary));
    put(SampleWord::temperature, sample.temperature);
    put(SampleWord::top_p, sample.top_p);
    put(SampleWord::least, sample.min_p > 0.0f ? std::log(sample.min_p) : kAnyDistance);
    // Rounded down: the float next to the double may be 1.
    const double uniform = sample::uniform(sample.seed, sample.position);
    put(SampleWord::uniform, static_cast<float>(std::floor(uniform * 0x1p24) * 0x1p-24));
    put(SampleWord::unread, sample.unread);
    put(SampleWord::unread_slot, sample.slot * kSlotDepth);
    put(SampleWord::unread_newest, slots.last(sample.slot) % kSlotDepth);
    put(SampleWord::place, slots.next(sample.slot));
    put(SampleWord::repeat_penalty, sample.repeat_penalty);
    put(SampleWord::frequency_penalty, sample.frequency_penalty);
    put(SampleWord::presence_penalty, sample.presence_penalty);
    counts.samples += 1;
    counts.top_draws += draw == SampleDraw::top ? 1 : 0;
    counts.all_draws += draw == SampleDraw::all ? 1 : 0;

    put(SampleWord::entries, static_cast<std::uint32_t>(words.size()));
    write_entries(sample, vocabulary, words);
    put(SampleWord::n_entries, static_cast<std::uint32_t>(entries_.size()));
    counts.adjusted += !entries_.empty() || sample.unread > 0 ? 1 : 0;
    if (!sample.mask.empty()) {
      put(SampleWord::mask, static_cast<std::uint32_t>(words.size()));
      words.insert(words.end(), sample.mask.begin(), sample.mask.end());
      words.resize(words.size() + std::max<std::size_t>((vocabulary + 31) / 32, sample.mask.size()) -
                   sample.mask.size());
      counts.masked += 1;
    }
  }
}

// Each token of history and bias once.
void SampleWriter::write_entries(const graph::DeviceSample& sample, std::uint32_t vocabulary,
                                 std::vector<std::uint32_t>& words) {
  entries_.clear();
  if (penalizes(sample)) {
    for (const std::int32_t token : sample.history) entries_.push_back({token, 1, 0.0f});
  }
  for (const auto& [token, bias] : sample.bias) entries_.push_back({token, 0, bias});
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.token < 0 || static_cast<std::uint32_t>(entry.token) >= vocabulary;
  });
  std::ranges::sort(entries_, {}, &Entry::token);
  std::size_t kept = 0;
  for (const Entry& entry : entries_) {
    if (kept > 0 && entries_[kept - 1].token == entry.token) {
      entries_[kept - 1].times += entry.times;
      entries_[kept - 1].bias += entry.bias;
    } else {
      entries_[kept++] = entry;
    }
  }
  entries_.resize(kept);
  for (const Entry& entry : entries_) {
    words.push_back(static_cast<std::uint32_t>(entry.token));
    words.push_back(entry.times);
    words.push_back(std::bit_cast<std::uint32_t>(entry.bias));
  }
}

}  // namespace wisp::gpu
