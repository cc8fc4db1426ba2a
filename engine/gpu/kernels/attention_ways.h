// The ways in which the device can attend for the single row of a decode step, and the question which of them is the
// fastest (gpu/tuner/): in one pass over the text (flash) or in plain steps, and the order of keys within a block.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "gpu/kernels/attention.h"
#include "gpu/kv_layout.h"
#include "gpu/tuner/tuning_task.h"

namespace wisp::gpu {

struct AttentionWay {
  AttentionPath path = AttentionPath::flash;
  KeyOrder keys = KeyOrder::by_word;
};
// The best guess first.
inline constexpr std::array kAttentionWays = {
    AttentionWay{AttentionPath::flash, KeyOrder::by_word}, AttentionWay{AttentionPath::flash, KeyOrder::by_position},
    AttentionWay{AttentionPath::plain, KeyOrder::by_word}, AttentionWay{AttentionPath::plain, KeyOrder::by_position}};
// "flash, keys by word": the candidate's name.
std::string way_name(const AttentionWay& way);

// Positions of the text that is asked about.
inline constexpr std::uint32_t kTuningPositions = 1024;
// Of attention_key(). With random queries, keys and values, and the answer of the scalar reference. `spec` is without
// sinks; its order of keys does not matter.
TuningRequest attention_request(const AttentionSpec& spec, double importance, const DeviceInfo& info);

}  // namespace wisp::gpu
