// A wisp_event: what an engine tells, kept until somebody asks.
#pragma once

#include <cstdint>
#include <string>

#include "api/handle.h"
#include "base/memory.h"
#include "base/token.h"
#include "runtime/request.h"

namespace wisp::api {

struct Event {
  wisp_kind kind = WISP_EVENT_NONE;
  std::uint64_t request = 0;
  TokenId token = -1;
  std::uint32_t position = 0;
  std::string text;
  Buffer logits;  // floats
  wisp_finish_reason reason = WISP_FINISH_LENGTH;
  wisp_status status = WISP_OK;
  std::string message;
  runtime::RequestStats stats;

  [[nodiscard]] std::size_t bytes() const { return sizeof(Event) + text.size() + logits.size() + message.size(); }
};

}  // namespace wisp::api

struct wisp_event : wisp::api::Tagged<wisp::api::Tag::event> {
  wisp::api::Event event;
};
