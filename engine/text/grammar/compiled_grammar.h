// A grammar bound to a vocabulary: which tokens may come next in each of its states, found once per state by a walk
// over the tree of tokens and kept for as long as there is room. Many constraints, of one request or of many, share
// one. It belongs to one thread, the engine's: making, copying and dropping constraints does too.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/grammar/automaton.h"
#include "text/grammar/token_trie.h"
#include "text/tokenizer.h"

namespace wisp::text::grammar {

struct TokenMask {
  std::vector<std::uint32_t> words;  // a bit per token that may come next, 32 a word
  std::size_t n_allowed = 0;
  TokenId only = -1;  // where n_allowed is 1
};

class CompiledGrammar {
 public:
  // `tokenizer` outlives it; `trie` is of the same vocabulary.
  static Result<std::shared_ptr<CompiledGrammar>> create(Machine machine, const Tokenizer& tokenizer,
                                                         std::shared_ptr<const TokenTrie> trie);
  CompiledGrammar(const CompiledGrammar&) = delete;
  CompiledGrammar& operator=(const CompiledGrammar&) = delete;

  // ---- states that somebody holds: they survive when the others are forgotten ----
  using Slot = std::uint32_t;
  Slot hold(StateId state);
  void let_go(Slot slot) { free_slots_.push_back(slot); }
  [[nodiscard]] StateId held(Slot slot) const { return slots_[slot]; }
  void set_held(Slot slot, StateId state) { slots_[slot] = state; }
  // Between two uses of states: forgets what is not held where it has become much.
  void tidy();

  // ---- reading ----
  Result<StateId> start() { return automaton_.start(); }
  // kDeadState when the bytes, or the token, cannot follow.
  Result<StateId> read(StateId state, std::string_view bytes);
  Result<StateId> read_token(StateId state, TokenId token);
  [[nodiscard]] bool may_end(StateId state) const { return automaton_.may_end(state); }
  // Nothing but the end can follow.
  [[nodiscard]] bool must_end(StateId state) const;

  // End tokens are in it exactly where the text may end.
  Result<std::shared_ptr<const TokenMask>> mask(StateId state);
  // The tokens that must follow, as the tokenizer cuts the only text that can: those of its tokens that whatever comes
  // behind cannot change. `before`: the token in front, -1 where there is none. Empty where several texts can follow.
  // Valid until the next call.
  Result<std::span<const TokenId>> forced(StateId state, TokenId before);

  [[nodiscard]] Automaton& automaton() { return automaton_; }
  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
  [[nodiscard]] const TokenTrie& trie() const { return *trie_; }
  [[nodiscard]] std::string_view bytes_of(TokenId token) const { return trie_->bytes_of(token); }

  struct Counters {
    std::uint64_t masks_made = 0, masks_found = 0;
    std::uint64_t collections = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

  // Bytes of the masks that are kept.
  static constexpr std::size_t kMaskBytes = std::size_t{32} << 20;

 private:
  CompiledGrammar(Machine machine, const Tokenizer& tokenizer, std::shared_ptr<const TokenTrie> trie);
  Result<std::shared_ptr<const TokenMask>> make_mask(StateId state);
  std::string forced_text(StateId& state);
  Result<std::vector<TokenId>> cut(StateId state, TokenId before);

  const Tokenizer& tokenizer_;
  std::shared_ptr<const TokenTrie> trie_;
  Automaton automaton_;
  std::vector<StateId> slots_;
  std::vector<Slot> free_slots_;

  struct KeptMask {
    StateId state;
    std::shared_ptr<const TokenMask> mask;
  };
  std::list<KeptMask> masks_;  // the last used one first
  std::unordered_map<StateId, std::list<KeptMask>::iterator> mask_of_;
  std::unordered_map<std::uint64_t, std::vector<TokenId>> forced_;  // by state and token before
  std::vector<StateId> path_;                                       // scratch of the walk
  Counters counters_;
};

}  // namespace wisp::text::grammar
