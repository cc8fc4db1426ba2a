#include "text/grammar/compiled_grammar.h"

#include <algorithm>
#include <bit>

#include "text/utf8.h"

namespace wisp::text::grammar {
namespace {

constexpr std::size_t kMostForcedBytes = 512;
constexpr std::size_t kMostForcedRuns = 1u << 14;

// The tokens behind the first `n` bytes of what `ids` spell; nothing when a token lies across that place.
std::optional<std::size_t> tokens_before(const CompiledGrammar& grammar, std::span<const TokenId> ids, std::size_t n) {
  std::size_t bytes = 0, count = 0;
  while (bytes < n && count < ids.size()) bytes += grammar.bytes_of(ids[count++]).size();
  if (bytes != n) return std::nullopt;
  return count;
}

}  // namespace

CompiledGrammar::CompiledGrammar(Machine machine, const Tokenizer& tokenizer, std::shared_ptr<const TokenTrie> trie)
    : tokenizer_(tokenizer),
      trie_(std::move(trie)),
      automaton_(std::move(machine), trie_->longest()),
      path_(trie_->longest() + 1) {}

Result<std::shared_ptr<CompiledGrammar>> CompiledGrammar::create(Machine machine, const Tokenizer& tokenizer,
                                                                 std::shared_ptr<const TokenTrie> trie) {
  std::shared_ptr<CompiledGrammar> made(new CompiledGrammar(std::move(machine), tokenizer, std::move(trie)));
  WISP_CHECK(made->start());
  return made;
}

// ---- held states ----

CompiledGrammar::Slot CompiledGrammar::hold(StateId state) {
  if (free_slots_.empty()) {
    slots_.push_back(state);
    free_slots_.reserve(slots_.capacity());
    return static_cast<Slot>(slots_.size() - 1);
  }
  const Slot slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = state;
  return slot;
}

void CompiledGrammar::tidy() {
  if (!automaton_.wants_collection()) return;
  for (const Slot slot : free_slots_) slots_[slot] = kDeadState;
  std::vector<StateId*> held;
  for (StateId& state : slots_) held.push_back(&state);
  automaton_.collect(held);
  masks_.clear();
  mask_of_.clear();
  forced_.clear();
  counters_.collections += 1;
}

// ---- reading ----

Result<StateId> CompiledGrammar::read(StateId state, std::string_view bytes) {
  for (const char c : bytes) {
    state = automaton_.next(state, static_cast<std::uint8_t>(c));
    if (state == kDeadState) break;
  }
  if (automaton_.failed()) WISP_CHECK(automaton_.failure());
  return state;
}

Result<StateId> CompiledGrammar::read_token(StateId state, TokenId token) {
  if (automaton_.names_tokens(state)) {
    const StateId named = automaton_.next_by_token(state, token);
    if (automaton_.failed()) WISP_CHECK(automaton_.failure());
    if (named != kDeadState) return named;
  }
  const std::string_view bytes = bytes_of(token);
  if (bytes.empty()) return kDeadState;
  return read(state, bytes);
}

bool CompiledGrammar::must_end(StateId state) const {
  return automaton_.may_end(state) && !automaton_.names_tokens(state) && automaton_.bytes(state).size() == 0;
}

// ---- masks ----

Result<std::shared_ptr<const TokenMask>> CompiledGrammar::mask(StateId state) {
  state = automaton_.alike(state);
  const auto known = mask_of_.find(state);
  if (known != mask_of_.end()) {
    counters_.masks_found += 1;
    masks_.splice(masks_.begin(), masks_, known->second);
    return masks_.front().mask;
  }
  WISP_TRY(std::shared_ptr<const TokenMask> made, make_mask(state));
  counters_.masks_made += 1;
  const std::size_t room = std::max<std::size_t>(kMaskBytes / (trie_->mask_words() * sizeof(std::uint32_t) + 64), 64);
  if (masks_.size() >= room) {
    mask_of_.erase(masks_.back().state);
    masks_.pop_back();
  }
  masks_.push_front({state, made});
  mask_of_[state] = masks_.begin();
  return made;
}

Result<std::shared_ptr<const TokenMask>> CompiledGrammar::make_mask(StateId state) {
  auto mask = std::make_shared<TokenMask>();
  mask->words.assign(trie_->mask_words(), 0);
  const auto allow = [&words = mask->words](TokenId token) {
    words[static_cast<std::size_t>(token) / 32] |= 1u << (static_cast<std::uint32_t>(token) % 32u);
  };
  const std::vector<TokenTrie::Node>& nodes = trie_->nodes();
  path_[0] = state;
  for (std::uint32_t at = 0; at < trie_->n_nodes();) {
    const TokenTrie::Node& node = nodes[at];
    const StateId next = automaton_.next(path_[node.depth - 1u], node.byte);
    if (next == kDeadState) {
      at = node.end;
      continue;
    }
    path_[node.depth] = next;
    ++at;
    for (std::uint32_t i = node.first_token; i < nodes[at].first_token; ++i) allow(trie_->tokens()[i]);
  }
  if (automaton_.failed()) WISP_CHECK(automaton_.failure());
  for (const TokenId token : automaton_.named_tokens(state)) allow(token);
  for (const TokenId token : tokenizer_.vocabulary().end_of_generation) {
    if (automaton_.may_end(state)) allow(token);
  }
  for (std::size_t i = 0; i < mask->words.size(); ++i) {
    if (mask->words[i] == 0) continue;
    mask->n_allowed += static_cast<std::size_t>(std::popcount(mask->words[i]));
    mask->only = static_cast<TokenId>(i * 32 + static_cast<std::size_t>(std::countr_zero(mask->words[i])));
  }
  if (mask->n_allowed != 1) mask->only = -1;
  return mask;
}

// ---- what must follow ----

// The text that must follow, and the state behind it.
std::string CompiledGrammar::forced_text(StateId& state) {
  std::string text;
  while (text.size() < kMostForcedBytes) {
    const std::optional<std::uint8_t> byte = automaton_.only_byte(state);
    if (!byte) break;
    const StateId next = automaton_.next(state, *byte);
    if (next == kDeadState) break;  // a limit was met
    text.push_back(static_cast<char>(*byte));
    state = next;
  }
  return text;
}

Result<std::vector<TokenId>> CompiledGrammar::cut(StateId state, TokenId before) {
  std::string text = forced_text(state);
  if (automaton_.failed()) WISP_CHECK(automaton_.failure());
  const bool ends = must_end(state);
  if (!ends && text.size() < 2) return std::vector<TokenId>{};
  // The text in front decides how the tokenizer begins; a line end cuts as the start of a text would.
  std::string context = before < 0 ? std::string() : std::string(bytes_of(before));
  if (context.empty()) context = "\n";
  if (!is_utf8(context) || !is_utf8(text)) return std::vector<TokenId>{};
  const auto encode = [&](std::string_view behind) -> Result<std::vector<TokenId>> {
    std::string whole = context + text;
    whole += behind;
    WISP_TRY(std::vector<TokenId> ids, tokenizer_.encode(whole, {}));
    std::size_t bytes = 0;
    for (const TokenId id : ids) bytes += bytes_of(id).size();
    // The rule of a vocabulary may have put a space in front.
    if (bytes < whole.size()) return std::vector<TokenId>{};
    const std::size_t in_front = bytes - whole.size() + context.size();
    const std::optional<std::size_t> n = tokens_before(*this, ids, in_front);
    if (!n) return std::vector<TokenId>{};  // a token lies across: the model decides
    return std::vector<TokenId>(ids.begin() + static_cast<std::ptrdiff_t>(*n), ids.end());
  };
  WISP_TRY(std::vector<TokenId> ids, encode(""));
  if (ends) return ids;
  // What all that can come behind leaves as it is. A few bytes stand for all of them.
  if (!ids.empty()) ids.pop_back();
  constexpr std::size_t kMostProbes = 8;
  const ByteSet behind = automaton_.bytes(state);
  std::size_t probes = 0;
  for (unsigned byte = 0; byte < 128 && probes < kMostProbes && !ids.empty(); ++byte) {
    if (!behind.contains(static_cast<std::uint8_t>(byte))) continue;
    ++probes;
    WISP_TRY(const std::vector<TokenId> longer, encode(std::string(1, static_cast<char>(byte))));
    const auto differs = std::ranges::mismatch(ids, longer).in1;
    ids.erase(differs, ids.end());
  }
  return ids;
}

Result<std::span<const TokenId>> CompiledGrammar::forced(StateId state, TokenId before) {
  if (!automaton_.only_byte(state)) return std::span<const TokenId>{};
  const std::uint64_t key = std::uint64_t{state} << 32 | static_cast<std::uint32_t>(before);
  auto known = forced_.find(key);
  if (known == forced_.end()) {
    WISP_TRY(std::vector<TokenId> ids, cut(state, before));
    // The tokens must be what they seem: each of them can be read.
    StateId at = state;
    std::size_t n = 0;
    for (; n < ids.size(); ++n) {
      WISP_TRY(at, read(at, bytes_of(ids[n])));
      if (at == kDeadState || bytes_of(ids[n]).empty()) break;
    }
    ids.resize(n);
    if (forced_.size() >= kMostForcedRuns) forced_.clear();
    known = forced_.emplace(key, std::move(ids)).first;
  }
  return std::span<const TokenId>(known->second);
}

}  // namespace wisp::text::grammar
