// Choosing the next tokens on the device, as sample/sampler.h would. What each sample wants stands in the step buffer,
// and its kernels run only where a sample of the step needs them:
//   adjust                     bias and penalties, in place               (wgsl/sample_adjust.wgsl)
//   mask                       bans what a constraint does not allow      (wgsl/sample_mask.wgsl)
//   argmax parts, argmax join  the most likely token, which greedy takes  (wgsl/argmax_parts.wgsl,
//   wgsl/argmax_join.wgsl) draw of the top            top-k up to kMostTopK, top-p, min-p        (wgsl/draw_top.wgsl)
//   draw of all                min-p alone                                (wgsl/draw_all.wgsl)
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

// Words of one sample in the step buffer; wgsl/sample.wgsl has the same numbers.
enum class SampleWord : std::uint32_t {
  logit_row = 0,
  place,        // of its token among the sampled ones (slot_ring.h)
  draw,         // SampleDraw
  top_k,        // 1 to kMostTopK
  temperature,  // f32
  top_p,        // f32
  least,        // f32: how far a candidate's logit may be from the highest: ln(min_p)
  uniform,      // f32 in [0, 1): sample/random.h of seed and position
  entries,      // -> [n_entries][token, times seen, f32 bias], each token once
  n_entries,
  unread,          // tokens of the slot behind the history that the entries count
  unread_slot,     // place of the slot's first token
  unread_newest,   // which of its tokens is the newest
  repeat_penalty,  // f32
  frequency_penalty,
  presence_penalty,
  mask,  // -> a bit a token, 32 a word; 0: none
  kWords = 20,
};
inline constexpr std::uint32_t kSampleWords = static_cast<std::uint32_t>(SampleWord::kWords);
enum class SampleDraw : std::uint32_t { none = 0, top, all };

// The candidates that a workgroup sorts, one a lane.
inline constexpr std::uint32_t kMostTopK = 256;
// Logits that one workgroup looks at: 16 for each of its lanes.
inline constexpr std::uint32_t kArgmaxPart = 4096;

struct SampleConstants {
  std::uint32_t logits = 0;    // [logit rows][vocabulary]
  std::uint32_t partials = 0;  // [samples][parts][order key, token]: of each part its best (wgsl/order.wgsl)
  std::uint32_t vocabulary = 0, parts = 0;
};

Result<Kernel> adjust_kernel(const DeviceInfo& info);  // group 1: the sampled tokens
Grid adjust_grid();
Result<Kernel> mask_kernel(const DeviceInfo& info);
Grid mask_grid(std::uint32_t vocabulary);
Result<Kernel> argmax_parts_kernel(const DeviceInfo& info);
Grid argmax_parts_grid(std::uint32_t vocabulary);
// These write tokens. Group 1: the sampled tokens, where it goes to its place; the step's results, by sample. -1 where
// there is nothing but NaN and -infinity.
Result<Kernel> argmax_join_kernel(const DeviceInfo& info);
Result<Kernel> draw_top_kernel(const DeviceInfo& info);
Result<Kernel> draw_all_kernel(const DeviceInfo& info);
Grid sample_grid();

}  // namespace wisp::gpu
