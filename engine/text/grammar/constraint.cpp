#include "text/grammar/constraint.h"

#include <algorithm>
#include <utility>

namespace wisp::text::grammar {
namespace {

constexpr CompiledGrammar::Slot kNoSlot = 0xFFFFFFFFu;

bool contains(const std::vector<TokenId>& tokens, TokenId token) {
  return std::ranges::find(tokens, token) != tokens.end();
}

}  // namespace

Constraint::Constraint(std::shared_ptr<CompiledGrammar> grammar, std::shared_ptr<Lazy> lazy, StateId start)
    : grammar_(std::move(grammar)), lazy_(std::move(lazy)), slot_(grammar_->hold(start)), waiting_(lazy_ != nullptr) {}

Constraint::Constraint(const Constraint& other)
    : grammar_(other.grammar_),
      lazy_(other.lazy_),
      slot_(grammar_->hold(grammar_->held(other.slot_))),
      waiting_(other.waiting_),
      ended_(other.ended_),
      place_(other.place_),
      last_(other.last_),
      mask_(other.mask_) {}

Constraint::Constraint(Constraint&& other) noexcept
    : grammar_(std::move(other.grammar_)),
      lazy_(std::move(other.lazy_)),
      slot_(std::exchange(other.slot_, kNoSlot)),
      waiting_(other.waiting_),
      ended_(other.ended_),
      place_(other.place_),
      last_(other.last_),
      mask_(std::move(other.mask_)) {}

Constraint& Constraint::operator=(Constraint other) noexcept {
  std::swap(grammar_, other.grammar_);
  std::swap(lazy_, other.lazy_);
  std::swap(slot_, other.slot_);
  std::swap(waiting_, other.waiting_);
  std::swap(ended_, other.ended_);
  std::swap(place_, other.place_);
  std::swap(last_, other.last_);
  std::swap(mask_, other.mask_);
  return *this;
}

Constraint::~Constraint() {
  if (slot_ != kNoSlot && grammar_ != nullptr) grammar_->let_go(slot_);
}

Result<Constraint> Constraint::create(std::shared_ptr<CompiledGrammar> grammar, Triggers triggers) {
  WISP_TRY(const StateId start, grammar->start());
  if (triggers.empty()) return Constraint(std::move(grammar), nullptr, start);
  for (const TokenId token : triggers.tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= grammar->trie().n_vocab()) {
      return fail(Code::invalid_argument, "token {} cannot trigger a grammar: the vocabulary has ids 0 to {}", token,
                  grammar->trie().n_vocab() - 1);
    }
  }
  WISP_TRY(TriggerSearch search, TriggerSearch::create(triggers.texts));
  for (const std::string& text : triggers.texts) {
    if (!triggers.in_grammar) break;
    WISP_TRY(const StateId behind, grammar->read(start, text));
    if (behind == kDeadState) {
      return fail(Code::invalid_argument, "no text of the grammar begins with its trigger '{}'", printable(text));
    }
  }
  auto lazy = std::make_shared<Lazy>(Lazy{std::move(triggers), std::move(search), {}});
  return Constraint(std::move(grammar), std::move(lazy), start);
}

// ---- reading ----

Result<Constraint::At> Constraint::wait_on(TriggerSearch::Place place, std::uint8_t byte) const {
  place = lazy_->search.next(place, byte);
  const std::optional<std::uint32_t> trigger = lazy_->search.complete(place);
  if (!trigger) return At{true, place, kDeadState};
  WISP_TRY(StateId state, grammar_->start());
  if (lazy_->triggers.in_grammar) {
    WISP_TRY(state, grammar_->read(state, lazy_->triggers.texts[*trigger]));
  }
  return At{false, 0, state};
}

Result<Constraint::At> Constraint::step(At from, TokenId token) const {
  if (!from.waiting) {
    WISP_TRY(from.state, grammar_->read_token(from.state, token));
    return from;
  }
  if (contains(lazy_->triggers.tokens, token)) {
    WISP_TRY(const StateId start, grammar_->start());
    WISP_TRY(const StateId named, grammar_->read_token(start, token));
    return At{false, 0, named != kDeadState ? named : start};
  }
  const std::string_view bytes = grammar_->bytes_of(token);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    WISP_TRY(from, wait_on(from.place, static_cast<std::uint8_t>(bytes[i])));
    if (from.waiting) continue;
    WISP_TRY(from.state, grammar_->read(from.state, bytes.substr(i + 1)));
    break;
  }
  return from;
}

Status Constraint::accept(TokenId token) {
  if (token < 0 || static_cast<std::size_t>(token) >= grammar_->trie().n_vocab()) {
    return fail(Code::invalid_argument, "token {} is outside the vocabulary", token);
  }
  grammar_->tidy();
  if (!waiting_ && grammar_->tokenizer().vocabulary().is_end(token) && may_end()) {
    ended_ = true;
    return {};
  }
  WISP_TRY(const At to, step(at(), token));
  if (!to.waiting && to.state == kDeadState) {
    return fail(Code::invalid_argument, "token {} ('{}') cannot follow here by the grammar", token,
                printable(grammar_->tokenizer().token_bytes(token, true)));
  }
  waiting_ = to.waiting;
  place_ = to.place;
  if (!to.waiting) grammar_->set_held(slot_, to.state);
  last_ = token;
  mask_.reset();
  return {};
}

Result<std::size_t> Constraint::accepts(std::span<const TokenId> tokens) const {
  At to = at();
  std::size_t n = 0;
  for (; n < tokens.size(); ++n) {
    if (tokens[n] < 0 || static_cast<std::size_t>(tokens[n]) >= grammar_->trie().n_vocab()) break;
    WISP_TRY(to, step(to, tokens[n]));
    if (!to.waiting && to.state == kDeadState) break;
  }
  return n;
}

bool Constraint::may_end() const { return waiting_ || grammar_->may_end(grammar_->held(slot_)); }

bool Constraint::finished() const { return ended_ || (!waiting_ && grammar_->must_end(grammar_->held(slot_))); }

// ---- what may come ----

Result<std::shared_ptr<const TokenMask>> Constraint::waiting_mask() const {
  const auto known = lazy_->masks.find(place_);
  if (known != lazy_->masks.end()) return known->second;
  auto mask = std::make_shared<TokenMask>();
  mask->words.assign(grammar_->trie().mask_words(), ~0u);
  bool all = true;
  const std::vector<TokenTrie::Node>& nodes = grammar_->trie().nodes();
  std::vector<At> path(grammar_->trie().longest() + 1);
  path[0] = at();
  for (std::uint32_t i = 0; i < grammar_->trie().n_nodes(); ++i) {
    const TokenTrie::Node& node = nodes[i];
    At next = path[node.depth - 1u];
    if (next.waiting) {
      WISP_TRY(next, wait_on(next.place, node.byte));
    } else {
      const auto byte = static_cast<char>(node.byte);
      WISP_TRY(next.state, grammar_->read(next.state, std::string_view(&byte, 1)));
    }
    path[node.depth] = next;
    if (next.waiting || next.state != kDeadState) continue;
    for (std::uint32_t t = node.first_token; t < nodes[i + 1].first_token; ++t) {
      const auto token = static_cast<std::size_t>(grammar_->trie().tokens()[t]);
      if (contains(lazy_->triggers.tokens, static_cast<TokenId>(token))) continue;
      mask->words[token / 32] &= ~(1u << (token % 32));
      all = false;
    }
  }
  if (all) mask.reset();
  lazy_->masks[place_] = mask;
  return mask;
}

Result<std::span<const std::uint32_t>> Constraint::mask() {
  if (waiting_) {
    WISP_TRY(mask_, waiting_mask());
    if (mask_ == nullptr) return std::span<const std::uint32_t>{};
    return std::span<const std::uint32_t>(mask_->words);
  }
  if (mask_ == nullptr) {
    grammar_->tidy();
    WISP_TRY(mask_, grammar_->mask(grammar_->held(slot_)));
  }
  if (mask_->n_allowed == 0) {
    return fail(Code::unsupported,
                "the grammar cannot go on: no token of the vocabulary is, or starts with, what has to come next");
  }
  return std::span<const std::uint32_t>(mask_->words);
}

Result<std::span<const TokenId>> Constraint::forced() {
  if (waiting_ || finished()) return std::span<const TokenId>{};
  grammar_->tidy();
  const StateId state = grammar_->held(slot_);
  WISP_TRY(const std::span<const TokenId> run, grammar_->forced(state, last_));
  if (!run.empty()) return run;
  if (mask_ == nullptr) {
    WISP_TRY(mask_, grammar_->mask(state));
  }
  forced_ = mask_->only;
  if (forced_ < 0 || grammar_->tokenizer().vocabulary().is_end(forced_)) return std::span<const TokenId>{};
  return std::span<const TokenId>(&forced_, 1);
}

}  // namespace wisp::text::grammar
