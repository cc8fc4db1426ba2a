// One live request: its tokens, how far they are computed, and what chooses and shows the next one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/sequence_table.h"
#include "runtime/request.h"
#include "runtime/scheduler.h"
#include "runtime/text_stream.h"
#include "sample/sampler.h"

namespace wisp::runtime {

struct Sequence : Job {
  Sequence(RequestId request_id, Request asked, std::vector<TokenId> prompt, sample::Sampler chosen, TextStream stream)
      : id(request_id),
        request(std::move(asked)),
        tokens(std::move(prompt)),
        next_scored(request.logits_from),
        sampler(std::move(chosen)),
        text(std::move(stream)) {
    arrival = static_cast<std::uint64_t>(id);
    priority = request.priority;
    stats.prompt_tokens = static_cast<std::uint32_t>(tokens.size());
    set_computed(0);
  }

  // Tokens [0, n) have their K and V.
  void set_computed(std::uint32_t n) {
    computed = n;
    pending = length() - n;
    scoring = request.on_logits && next_scored < stats.prompt_tokens;
    unscored = scoring && next_scored > n ? next_scored - n : 0;
  }
  [[nodiscard]] std::uint32_t length() const { return static_cast<std::uint32_t>(tokens.size()); }
  // The tokens whose K and V may come from elsewhere: not those whose logits are still wanted.
  [[nodiscard]] std::span<const TokenId> adoptable() const {
    const std::span<const TokenId> all = tokens;
    return scoring ? all.first(next_scored + 1) : all;  // of a prefix the last token is always computed
  }

  RequestId id;
  Request request;  // its prompt moved into `tokens`
  std::vector<TokenId> tokens;
  std::uint32_t computed = 0;
  std::uint32_t next_scored;         // the next position for on_logits
  std::optional<kv::SequenceId> kv;  // while running
  sample::Sampler sampler;
  TextStream text;
  RequestStats stats;
  bool cancelled = false;  // during a step; ends with it
  // For traces: what it is doing, since when.
  std::string_view phase = "queued";
  std::uint64_t phase_begin_ns = 0;
};

}  // namespace wisp::runtime
