// A wisp_event: what an engine tells, kept until somebody asks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/handle.h"
#include "base/memory.h"
#include "base/token.h"
#include "runtime/request.h"
#include "sample/logprobs.h"

namespace wisp::api {

struct Event {
  wisp_kind kind = WISP_EVENT_NONE;
  std::uint64_t request = 0;
  TokenId token = -1;
  std::uint32_t position = 0;
  std::string text;
  Buffer logits;  // floats
  bool has_logprobs = false;
  float logprob = 0;
  std::vector<sample::TokenLogprob> top_logprobs;
  std::vector<float> embedding;  // [width], or [prompt, width]
  wisp_finish_reason reason = WISP_FINISH_LENGTH;
  wisp_status status = WISP_OK;
  std::string message;
  runtime::RequestStats stats;
  std::shared_ptr<const runtime::SavedSequence> state;

  [[nodiscard]] std::size_t bytes() const {
    std::size_t total = sizeof(Event) + text.size() + logits.size() + message.size() +
                        top_logprobs.size() * sizeof(sample::TokenLogprob) + embedding.size() * sizeof(float);
    if (state == nullptr) return total;
    for (const runtime::SavedSequence::Group& group : state->groups) total += group.bytes.size();
    return total;
  }
};

}  // namespace wisp::api

struct wisp_event : wisp::api::Tagged<wisp::api::Tag::event> {
  wisp::api::Event event;
};
