// One live request: its tokens, how far they are computed, and what chooses and shows the next one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/sequence_table.h"
#include "runtime/request.h"
#include "runtime/scheduler.h"
#include "runtime/speculation/speculator.h"
#include "runtime/text_stream.h"
#include "sample/sampler.h"

namespace wisp::runtime {

struct Sequence : Job {
  Sequence(RequestId request_id, Request asked, std::vector<TokenId> prompt, std::uint32_t most_tokens,
           sample::Sampler chosen, TextStream stream)
      : id(request_id),
        request(std::move(asked)),
        tokens(std::move(prompt)),
        longest(most_tokens),
        next_scored(request.logits_from),
        sampler(std::move(chosen)),
        text(std::move(stream)) {
    arrival = static_cast<std::uint64_t>(id);
    priority = request.priority;
    stats.prompt_tokens = static_cast<std::uint32_t>(tokens.size());
    start_at(0);
  }

  // Positions [0, n) have their K and V, nothing is in flight.
  void start_at(std::uint32_t n) {
    computed = submitted = n;
    unread = 0;
    count_pending();
  }
  // A step with the next `rows` positions was submitted; the device chooses the token after them, or does not.
  void submit_rows(std::uint32_t rows, bool samples) {
    submitted += rows;
    if (samples) unread += 1;
    count_pending();
  }
  // The token after all that is computed was guessed, and its K and V are there.
  void accept() {
    computed += 1;
    submitted += 1;
    stats.accepted_tokens += 1;
    count_pending();
  }
  // The next token, which is no longer counted among the unread ones.
  void append(TokenId token) {
    tokens.push_back(token);
    count_pending();
  }

  // As a step is told: an id, or the slot where the device has it.
  [[nodiscard]] std::int32_t token_at(std::uint32_t position) const {
    return position < length() ? tokens[position] : -1 - static_cast<std::int32_t>(*slot);
  }
  [[nodiscard]] std::uint32_t length() const { return static_cast<std::uint32_t>(tokens.size()); }
  // The token after all that is submitted is wanted.
  [[nodiscard]] bool wants_token() const { return length() + unread < longest; }
  // Its next token depends on the text of the one before, which the host has to read first.
  [[nodiscard]] bool runs_behind() const { return request.constraint && unread > 0; }
  // All is submitted, and the host has to hear of it before there is more.
  [[nodiscard]] bool awaits_host() const { return runs_behind() || submitted == length() + unread; }
  // Positions before this one will never be taken back: their tokens are known.
  [[nodiscard]] std::uint32_t certain() const { return std::min(submitted, length() - 1); }
  // Only the host can choose its tokens, or tell how likely they were.
  [[nodiscard]] bool host_chooses() const {
    return !sampler.is_plain() || (request.logprobs && request.logprobs->after_sampling);
  }
  // The host wants to see what a token was chosen from, whoever chooses.
  [[nodiscard]] bool shows_logits() const { return request.token_logits || request.logprobs; }
  // The tokens whose K and V may come from elsewhere: not those whose logits are still wanted.
  [[nodiscard]] std::span<const TokenId> adoptable() const {
    const std::span<const TokenId> all = tokens;
    return scoring ? all.first(next_scored + 1) : all;  // of a prefix the last token is always computed
  }

  RequestId id;
  Request request;  // its prompt moved into `tokens`
  std::vector<TokenId> tokens;
  std::uint32_t longest;  // tokens after which it ends whatever they are
  // Positions [0, computed) have their K and V, and the host knows; [computed, submitted) are in steps in flight, which
  // make `unread` tokens on the device, to come after `tokens`.
  std::uint32_t computed = 0, submitted = 0, unread = 0;
  std::uint32_t evictions = 0;        // steps in flight from before one say nothing about this sequence
  std::uint32_t next_scored;          // the next position for on_logits
  std::uint64_t state_origin = 0;     // of request.state
  std::optional<kv::SequenceId> kv;   // while running
  std::optional<std::uint32_t> slot;  // of the device, for its sampled tokens; while running
  sample::Sampler sampler;
  std::unique_ptr<Speculator> speculator;  // nullptr: it does not guess
  sample::SamplerState sampler_state;      // behind the last of `tokens`
  TextStream text;
  RequestStats stats;
  bool cancelled = false;  // during a step; ends with it
  // For traces: what it is doing, since when.
  std::string_view phase = "queued";
  std::uint64_t phase_begin_ns = 0;

 private:
  void count_pending() {
    // The last of the unread tokens needs no computing when no other will follow it.
    pending = runs_behind() || (unread > 0 && !wants_token()) ? 0 : length() + unread - submitted;
    const std::uint32_t first = std::max(next_scored, submitted);
    scoring = request.on_logits && first < stats.prompt_tokens;
    unscored = scoring ? first - submitted : 0;
  }
};

}  // namespace wisp::runtime
