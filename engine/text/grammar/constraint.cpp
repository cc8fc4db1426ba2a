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
    : grammar_(std::move(grammar)), lazy_(std::move(lazy)), slot_(grammar_->hold(start)), waiting_(lazy_ != nullptr) {
  if (waiting_ && lazy_->triggers.paused) pause_ = static_cast<std::uint16_t>(*lazy_->triggers.paused + 1);
}

Constraint::Constraint(const Constraint& other)
    : grammar_(other.grammar_),
      lazy_(other.lazy_),
      slot_(grammar_->hold(grammar_->held(other.slot_))),
      waiting_(other.waiting_),
      ended_(other.ended_),
      place_(other.place_),
      pause_(other.pause_),
      last_(other.last_),
      mask_(other.mask_) {}

Constraint::Constraint(Constraint&& other) noexcept
    : grammar_(std::move(other.grammar_)),
      lazy_(std::move(other.lazy_)),
      slot_(std::exchange(other.slot_, kNoSlot)),
      waiting_(other.waiting_),
      ended_(other.ended_),
      place_(other.place_),
      pause_(other.pause_),
      last_(other.last_),
      mask_(std::move(other.mask_)) {}

Constraint& Constraint::operator=(Constraint other) noexcept {
  std::swap(grammar_, other.grammar_);
  std::swap(lazy_, other.lazy_);
  std::swap(slot_, other.slot_);
  std::swap(waiting_, other.waiting_);
  std::swap(ended_, other.ended_);
  std::swap(place_, other.place_);
  std::swap(pause_, other.pause_);
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
  std::vector<std::string> searched = triggers.texts;
  std::vector<TriggerSearch> ends;
  for (const Triggers::Pause& pause : triggers.pauses) {
    searched.push_back(pause.begin);
    WISP_TRY(ends.emplace_back(), TriggerSearch::create({pause.end}));
  }
  if (triggers.paused && *triggers.paused >= ends.size()) {
    return fail(Code::invalid_argument, "pause {} of a lazy grammar is not there", *triggers.paused);
  }
  WISP_TRY(TriggerSearch search, TriggerSearch::create(searched));
  for (const std::string& text : triggers.texts) {
    if (!triggers.in_grammar) break;
    WISP_TRY(const StateId behind, grammar->read(start, text));
    if (behind == kDeadState) {
      return fail(Code::invalid_argument, "no text of the grammar begins with its trigger '{}'", printable(text));
    }
  }
  auto lazy = std::make_shared<Lazy>(Lazy{std::move(triggers), std::move(search), std::move(ends), {}, {}});
  const Tokenizer& tokenizer = grammar->tokenizer();
  for (TokenId id = 0; id < tokenizer.vocabulary().size(); ++id) {
    if (!grammar->bytes_of(id).empty()) continue;
    if (std::string text = tokenizer.token_bytes(id, true); !text.empty()) {
      lazy->control_tokens.emplace_back(id, std::move(text));
    }
  }
  return Constraint(std::move(grammar), std::move(lazy), start);
}

// ---- reading ----

Result<Constraint::At> Constraint::wait_on(At from, std::uint8_t byte) const {
  if (from.pause > 0) {
    const TriggerSearch& end = lazy_->ends[from.pause - 1u];
    from.place = end.next(from.place, byte);
    return end.complete(from.place) ? At{true, 0, kDeadState, 0} : from;
  }
  from.place = lazy_->search.next(from.place, byte);
  const std::optional<std::uint32_t> found = lazy_->search.complete(from.place);
  if (!found) return from;
  const std::size_t n_triggers = lazy_->triggers.texts.size();
  if (*found >= n_triggers) return At{true, 0, kDeadState, static_cast<std::uint16_t>(*found - n_triggers + 1)};
  WISP_TRY(StateId state, grammar_->start());
  if (lazy_->triggers.in_grammar) {
    WISP_TRY(state, grammar_->read(state, lazy_->triggers.texts[*found]));
  }
  return At{false, 0, state, 0};
}

Result<Constraint::At> Constraint::wait_on(At from, std::string_view bytes) const {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    WISP_TRY(from, wait_on(from, static_cast<std::uint8_t>(bytes[i])));
    if (from.waiting) continue;
    WISP_TRY(from.state, grammar_->read(from.state, bytes.substr(i + 1)));
    break;
  }
  return from;
}

Result<Constraint::At> Constraint::step(At from, TokenId token) const {
  if (!from.waiting) {
    WISP_TRY(from.state, grammar_->read_token(from.state, token));
    return from;
  }
  if (from.pause == 0 && contains(lazy_->triggers.tokens, token)) {
    WISP_TRY(const StateId start, grammar_->start());
    WISP_TRY(const StateId named, grammar_->read_token(start, token));
    return At{false, 0, named != kDeadState ? named : start, 0};
  }
  if (const std::string_view bytes = grammar_->bytes_of(token); !bytes.empty()) return wait_on(from, bytes);
  const auto control =
      std::ranges::lower_bound(lazy_->control_tokens, token, {}, [](const auto& entry) { return entry.first; });
  const bool has_text = control != lazy_->control_tokens.end() && control->first == token;
  return has_text ? wait_on(from, control->second) : from;
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
  pause_ = to.pause;
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
  const std::uint32_t key = std::uint32_t{pause_} << 16 | place_;
  const auto known = lazy_->masks.find(key);
  if (known != lazy_->masks.end()) return known->second;
  auto mask = std::make_shared<TokenMask>();
  mask->words.assign(grammar_->trie().mask_words(), ~0u);
  bool all = true;
  const auto forbid = [&](TokenId token) {
    if (pause_ == 0 && contains(lazy_->triggers.tokens, token)) return;
    const auto i = static_cast<std::size_t>(token);
    mask->words[i / 32] &= ~(1u << (i % 32));
    all = false;
  };
  const std::vector<TokenTrie::Node>& nodes = grammar_->trie().nodes();
  std::vector<At> path(grammar_->trie().longest() + 1);
  path[0] = at();
  for (std::uint32_t i = 0; i < grammar_->trie().n_nodes(); ++i) {
    const TokenTrie::Node& node = nodes[i];
    At next = path[node.depth - 1u];
    if (next.waiting) {
      WISP_TRY(next, wait_on(next, node.byte));
    } else {
      const auto byte = static_cast<char>(node.byte);
      WISP_TRY(next.state, grammar_->read(next.state, std::string_view(&byte, 1)));
    }
    path[node.depth] = next;
    if (next.waiting || next.state != kDeadState) continue;
    for (std::uint32_t t = node.first_token; t < nodes[i + 1].first_token; ++t) {
      forbid(grammar_->trie().tokens()[t]);
    }
  }
  for (const auto& [token, text] : lazy_->control_tokens) {
    WISP_TRY(const At next, wait_on(at(), text));
    if (!next.waiting && next.state == kDeadState) forbid(token);
  }
  if (all) mask.reset();
  lazy_->masks[key] = mask;
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
