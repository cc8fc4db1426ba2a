// What a request's text has to obey, token by token. Copies are cheap (a few words and a reference) and independent, so
// a fork or a guess at several tokens ahead works on a copy and throws it away.
//
//   while (!constraint.finished()) {
//     auto mask = constraint.mask();              // choose a token out of it
//     auto status = constraint.accept(token);
//     auto forced = constraint.forced();          // must follow: append them, accept each, no model is needed
//   }
//
// Constraints of one CompiledGrammar belong to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/grammar/compiled_grammar.h"
#include "text/grammar/trigger.h"

namespace wisp::text::grammar {

// Where a grammar begins that does not hold from the start: behind one of these. Until then every token may come, but
// for those that hold a trigger and go on behind it as the grammar cannot. Control tokens count with their texts.
struct Triggers {
  std::vector<std::string> texts;
  std::vector<TokenId> tokens;
  // From `begin` to `end` nothing triggers: what a model thinks.
  struct Pause {
    std::string begin, end;
  };
  std::vector<Pause> pauses = {};
  std::optional<std::size_t> paused = {};  // the text begins inside this pause
  // The grammar describes the triggering text too (tool calls: `"<tool_call>" json "</tool_call>"`), or only what comes
  // behind. A token that triggers is read by the grammar where it names it, else the grammar begins behind it.
  bool in_grammar = true;

  [[nodiscard]] bool empty() const { return texts.empty() && tokens.empty(); }
};

class Constraint {
 public:
  // Code::invalid_argument for a trigger that the grammar cannot begin with, Code::limit for too many.
  static Result<Constraint> create(std::shared_ptr<CompiledGrammar> grammar, Triggers triggers = {});
  Constraint(const Constraint& other);
  Constraint(Constraint&& other) noexcept;
  Constraint& operator=(Constraint other) noexcept;
  ~Constraint();

  // Still behind no trigger: nothing but mask() and accept() matters.
  [[nodiscard]] bool waiting() const { return waiting_; }
  // The tokens that may come next, [n_vocab / 32 rounded up]; empty: all. Valid while this object does not change. An
  // end token is among them exactly where the text may end. Code::unsupported where no token of the vocabulary can
  // follow.
  Result<std::span<const std::uint32_t>> mask();
  // Code::invalid_argument, and nothing changes, when the token cannot follow.
  Status accept(TokenId token);
  // How many of the tokens can follow one after the other; nothing changes.
  Result<std::size_t> accepts(std::span<const TokenId> tokens) const;
  // The tokens that must follow, whatever a model says; empty where there is a choice. Each is to be accepted. Valid
  // until the next call of anything that shares the grammar.
  Result<std::span<const TokenId>> forced();
  [[nodiscard]] bool may_end() const;
  // Nothing but the end can follow.
  [[nodiscard]] bool finished() const;

  [[nodiscard]] CompiledGrammar& grammar() const { return *grammar_; }

 private:
  struct Lazy {
    Triggers triggers;
    TriggerSearch search;             // the triggers, then what begins pauses
    std::vector<TriggerSearch> ends;  // of each pause
    std::vector<std::pair<TokenId, std::string>> control_tokens;
    // By pause and how much of a trigger has been seen; null where every token may come.
    std::unordered_map<std::uint32_t, std::shared_ptr<const TokenMask>> masks;
  };
  // Where a text is: behind `state` of the grammar, or still waiting at `place`, inside pause number `pause` from 1.
  struct At {
    bool waiting;
    TriggerSearch::Place place;
    StateId state;
    std::uint16_t pause = 0;
  };

  Constraint(std::shared_ptr<CompiledGrammar> grammar, std::shared_ptr<Lazy> lazy, StateId start);
  [[nodiscard]] At at() const { return {waiting_, place_, grammar_->held(slot_), pause_}; }
  [[nodiscard]] Result<At> step(At from, TokenId token) const;
  // More of the text seen while waiting.
  Result<At> wait_on(At from, std::uint8_t byte) const;
  Result<At> wait_on(At from, std::string_view bytes) const;
  Result<std::shared_ptr<const TokenMask>> waiting_mask() const;

  std::shared_ptr<CompiledGrammar> grammar_;
  std::shared_ptr<Lazy> lazy_;  // null where the grammar holds from the start
  CompiledGrammar::Slot slot_;
  bool waiting_ = false;
  bool ended_ = false;  // an end token was accepted
  TriggerSearch::Place place_ = 0;
  std::uint16_t pause_ = 0;
  TokenId last_ = -1;
  std::shared_ptr<const TokenMask> mask_;  // of the current state, once it was asked for
  TokenId forced_ = -1;                    // where the mask leaves one token
};

}  // namespace wisp::text::grammar
