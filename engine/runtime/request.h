// What a caller asks of the engine, and what it hears back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "runtime/saved_sequence.h"
#include "sample/logprobs.h"
#include "sample/params.h"
#include "text/grammar/constraint.h"

namespace wisp::runtime {

// Never used twice by one engine.
enum class RequestId : std::uint64_t {};

enum class FinishReason : std::uint8_t {
  length,       // max_new_tokens were made
  end_token,    // the model chose an end-of-generation token
  stop_string,  // one of Request::stop appeared
  context,      // the next position would pass the context
  cancelled,
  error,  // FinishEvent::error says which
};
// "length", "end_token", ...
constexpr std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::length: return "length";
    case FinishReason::end_token: return "end_token";
    case FinishReason::stop_string: return "stop_string";
    case FinishReason::context: return "context";
    case FinishReason::cancelled: return "cancelled";
    case FinishReason::error: return "error";
  }
  return "error";
}

struct RequestStats {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;     // of the prompt, found in the prefix index at the first admission
  std::uint32_t generated_tokens = 0;  // an end token that finished the request is not counted
  std::uint32_t forced_tokens = 0;     // of them, those that the constraint left no choice about
  std::uint32_t preemptions = 0;
  std::uint32_t drafted_tokens = 0, accepted_tokens = 0;  // guessed ahead, and of them right
  // On the engine's clock; 0 where the moment never came.
  std::uint64_t submitted_ns = 0, admitted_ns = 0, first_token_ns = 0, finished_ns = 0;
};

// A token was chosen. Not sent for the end token that finishes a request.
struct TokenEvent {
  RequestId request;
  TokenId token;
  std::uint32_t position;  // of this token in its sequence; the first after a prompt of n has n
  std::string_view text;   // what became certain with it: whole characters, outside any stop string; often empty
  // [vocabulary], what it was chosen from, where Request::token_logits asks for it; valid during the call. Empty for a
  // token that a constraint forced.
  std::span<const float> logits;
  sample::Logprobs logprobs = {};  // where Request::logprobs asks for them; valid during the call
};

struct FinishEvent {
  RequestId request;
  FinishReason reason;
  std::string_view text;                       // the rest of the text that was held back
  Error error;                                 // where reason is `error`
  std::shared_ptr<const SavedSequence> state;  // where Request::keep_state asks for it; nullptr where that failed
  RequestStats stats;
};

inline constexpr std::uint32_t kNoLimit = 0xFFFFFFFFu;

// Who guesses tokens ahead, to be checked in one step: nobody, the text itself (what followed its latest words before),
// or the engine's draft model. It changes when tokens come, never which.
enum class Speculation : std::uint8_t { off, ngram, model };
inline constexpr std::uint32_t kMostDrafts = 64;

struct Request {
  std::vector<TokenId> prompt = {};  // ids taken as they are; at least one
  // So many of the prompt's last tokens are of the answer already: what was begun elsewhere goes on here. The
  // constraint has to accept them, and stop strings and characters may begin in them; their text is not told again.
  // They count as prompt, and Mirostat begins anew. None in a fork.
  std::uint32_t answered = 0;
  sample::SamplingParams sampling = {};
  std::uint32_t max_new_tokens = kNoLimit;  // 0: compute the prompt and finish
  std::vector<std::string> stop = {};       // needs the engine to have a tokenizer
  // What the new text has to obey. Tokens that must follow are taken without asking the model, and the request ends
  // (FinishReason::end_token) when nothing more can follow.
  std::optional<text::grammar::Constraint> constraint = {};
  bool ignore_end = false;                 // end tokens are tokens like any other; not under a constraint that holds
  bool show_special = false;               // control tokens appear in `text`
  std::vector<TokenId> shown_tokens = {};  // these do in any case
  int priority = 0;                        // higher is served first
  Speculation speculation = Speculation::off;
  std::uint32_t most_drafts = 8;  // guesses at once, [1, kMostDrafts]
  std::uint64_t salt = 0;         // only requests of equal salt share prefixes
  // The prompt begins with the tokens of this sequence, whose keys and values need not be computed where they fit this
  // engine. Nothing in it is believed: what comes of it is found by no other request but those of the same object,
  // which must not change any more. Checked by submit(): another model's is Code::invalid_argument, one that
  // contradicts itself or its model Code::invalid_file.
  std::shared_ptr<const SavedSequence> state = nullptr;
  bool keep_state = false;  // FinishEvent::state is to hold the sequence
  // Scoring: called for every prompt position from `logits_from` on, in order, once each; `logits` [vocabulary] predict
  // the token after it and are valid during the call. Positions from there on are computed, never taken from the prefix
  // index.
  std::function<void(std::uint32_t position, std::span<const float> logits)> on_logits = {};
  std::uint32_t logits_from = 0;
  bool token_logits = false;  // fill TokenEvent::logits; a device then sends them with every token
  // Fill TokenEvent::logprobs. A device sends the logits for them, and does not choose the token itself where they are
  // those behind the chain.
  std::optional<sample::LogprobOptions> logprobs = {};
  // Called inside end_step(). They may call submit() and cancel(), nothing else of the engine. Of one request: all
  // on_logits, then on_token in order, then on_finish exactly once, whatever happens (but the engine's own end).
  std::function<void(const TokenEvent&)> on_token = {};
  std::function<void(const FinishEvent&)> on_finish = {};
};

}  // namespace wisp::runtime
