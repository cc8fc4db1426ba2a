#include "scoring.h"

#include "interrupt.h"

namespace wisp::cli {

Status score(runtime::Engine& engine, std::vector<TokenId> ids, std::uint32_t first, const TakeLogits& take) {
  Status taken;
  Error failure;
  runtime::FinishReason reason{};
  bool finished = false;
  runtime::Request request;
  request.prompt = std::move(ids);
  request.max_new_tokens = 0;
  request.logits_from = first;
  request.on_logits = [&](std::uint32_t position, std::span<const float> logits) {
    if (taken) taken = take(position, logits);
  };
  request.on_finish = [&](const runtime::FinishEvent& event) {
    reason = event.reason;
    failure = event.error;
    finished = true;
  };
  WISP_TRY(const runtime::RequestId id, engine.submit(std::move(request)));
  while (!finished) {
    if (Interrupts::pending() || !taken) {
      WISP_CHECK(engine.cancel(id));
      continue;
    }
    WISP_TRY(const bool worked, engine.step());
    if (!worked && !finished) return fail(Code::internal, "the engine stopped before all positions were computed");
  }
  WISP_CHECK(taken);
  if (reason == runtime::FinishReason::cancelled) return Interrupts::stopped();
  if (reason == runtime::FinishReason::error) return std::unexpected(failure);
  return {};
}

}  // namespace wisp::cli
