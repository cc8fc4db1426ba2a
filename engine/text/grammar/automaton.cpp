#include "text/grammar/automaton.h"

#include <algorithm>
#include <map>
#include <utility>

namespace wisp::text::grammar {
namespace {

constexpr std::uint64_t kNothing = ~std::uint64_t{0};

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

}  // namespace

// ---- numbers ----

template <class Same>
std::uint32_t Automaton::Numbers::find(std::uint64_t hash, Same same) const {
  const auto short_hash = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = short_hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.number == kUnknown) return kUnknown;
    if (slot.hash == short_hash && same(slot.number)) return slot.number;
  }
}

void Automaton::Numbers::add(std::uint64_t hash, std::uint32_t number) {
  if (2 * (used_ + 1) > slots_.size()) {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    used_ = 0;
    for (const Slot& slot : old) {
      if (slot.number != kUnknown) add(std::uint64_t{slot.hash} << 32, slot.number);
    }
  }
  const auto short_hash = static_cast<std::uint32_t>(hash >> 32);
  std::size_t at = short_hash & (slots_.size() - 1);
  while (slots_[at].number != kUnknown) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {short_hash, number};
  ++used_;
}

void Automaton::Numbers::clear() {
  slots_.assign(64, {});
  used_ = 0;
}

// ---- making one ----

Automaton::Automaton(Machine machine, std::size_t longest_token)
    : machine_(std::move(machine)),
      longest_token_(static_cast<std::uint32_t>(std::min<std::size_t>(longest_token, 1u << 16))) {
  find_classes();
  reset();
}

// Bytes that no set tells apart are one class.
void Automaton::find_classes() {
  std::array<std::uint32_t, 256> group = {};
  std::uint32_t n_groups = 1;
  for (const ByteSet& set : machine_.sets) {
    std::map<std::pair<std::uint32_t, bool>, std::uint32_t> split;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::pair key(group[byte], set.contains(static_cast<std::uint8_t>(byte)));
      group[byte] = split.try_emplace(key, static_cast<std::uint32_t>(split.size())).first->second;
    }
    n_groups = static_cast<std::uint32_t>(split.size());
  }
  n_classes_ = n_groups;
  byte_of_class_.assign(n_classes_, 0);
  for (std::size_t byte = 256; byte-- > 0;) {
    class_of_[byte] = static_cast<std::uint8_t>(group[byte]);
    byte_of_class_[group[byte]] = static_cast<std::uint8_t>(byte);
  }
  takes_.resize(machine_.sets.size() * n_classes_);
  for (std::size_t set = 0; set < machine_.sets.size(); ++set) {
    for (std::size_t c = 0; c < n_classes_; ++c) {
      takes_[set * n_classes_ + c] = machine_.sets[set].contains(byte_of_class_[c]) ? 1 : 0;
    }
  }
}

void Automaton::reset() {
  frames_.assign(1, {});
  alike_frames_.assign(1, kNoStack);
  frame_numbers_.clear();
  states_.assign(1, {});
  states_[kDeadState].alike = kDeadState;
  state_numbers_.clear();
  items_.clear();
  next_.assign(n_classes_, kDeadState);
}

Result<StateId> Automaton::start() {
  work_.assign(1, {machine_.start, kNoStack});
  close();
  const StateId state = intern();
  WISP_CHECK(failure());
  return state;
}

// ---- what reads nothing ----

std::uint32_t Automaton::push(Frame frame) {
  const std::uint64_t hash = mix(mix(mix(1, frame.below), frame.place), frame.rounds);
  const std::uint32_t known = frame_numbers_.find(hash, [&](std::uint32_t n) { return frames_[n] == frame; });
  if (known != kUnknown) return known;
  const auto number = static_cast<std::uint32_t>(frames_.size());
  frames_.push_back(frame);
  alike_frames_.push_back(kUnknown);
  frame_numbers_.add(hash, number);
  return number;
}

// Puts a place on the work list unless it was there before.
void Automaton::visit(std::uint32_t instruction, std::uint32_t stack) {
  if (failed_) return;
  const std::uint64_t key = std::uint64_t{instruction} << 32 | stack;
  if (4 * (n_visited_ + 1) > 3 * visited_.size()) {
    if (n_visited_ > 4 * kMostItems) {
      failed_ = true;
      return;
    }
    std::vector<std::uint64_t> old = std::exchange(visited_, std::vector<std::uint64_t>(visited_.size() * 2, kNothing));
    for (const std::uint64_t entry : old) {
      if (entry == kNothing) continue;
      std::size_t at = static_cast<std::size_t>(mix(7, entry)) & (visited_.size() - 1);
      while (visited_[at] != kNothing) at = (at + 1) & (visited_.size() - 1);
      visited_[at] = entry;
    }
  }
  std::size_t at = static_cast<std::size_t>(mix(7, key)) & (visited_.size() - 1);
  while (visited_[at] != kNothing) {
    if (visited_[at] == key) return;
    at = (at + 1) & (visited_.size() - 1);
  }
  visited_[at] = key;
  n_visited_ += 1;
  work_.push_back({instruction, stack});
}

void Automaton::decide(std::uint32_t loop, std::uint32_t rounds, std::uint32_t stack) {
  const Loop& bounds = machine_.loops[loop];
  if (rounds >= bounds.min) visit(bounds.next, stack);
  if (bounds.max == kUnbounded) rounds = std::min(rounds, bounds.min);  // past it all counts are alike
  if (rounds < bounds.max) visit(bounds.body, push({stack, kLoopBit | loop, rounds}));
}

void Automaton::close() {
  constexpr std::size_t kUsual = 256;  // a set that had to grow once is not cleared every time
  visited_.assign(kUsual, kNothing);
  n_visited_ = 0;
  found_.clear();
  may_end_ = false;
  const std::vector<Item> begin = std::exchange(work_, {});
  for (const Item& item : begin) visit(item.instruction, item.stack);
  while (!work_.empty() && !failed_) {
    const Item item = work_.back();
    work_.pop_back();
    const Instruction& code = machine_.code[item.instruction];
    switch (code.op) {
      case Op::byte:
      case Op::token: found_.push_back(item); break;
      case Op::split:
        for (std::uint32_t i = 0; i < code.b; ++i) visit(machine_.targets[code.a + i], item.stack);
        break;
      case Op::jump: visit(code.next, item.stack); break;
      case Op::call: visit(code.a, push({item.stack, code.next, 0})); break;
      case Op::loop: decide(code.a, 0, item.stack); break;
      case Op::back:
        if (item.stack == kNoStack) {
          may_end_ = true;
        } else {
          visit(frames_[item.stack].place, frames_[item.stack].below);
        }
        break;
      case Op::loop_end: {
        const Frame frame = frames_[item.stack];
        decide(frame.place & ~kLoopBit, frame.rounds + 1, frame.below);
        break;
      }
    }
  }
  work_.clear();
  if (found_.size() > kMostItems || bytes_used() > kHardLimit) failed_ = true;
  std::ranges::sort(found_);
}

StateId Automaton::intern() {
  if (failed_ || (found_.empty() && !may_end_)) return kDeadState;
  std::uint64_t hash = may_end_ ? 2 : 3;
  for (const Item& item : found_) hash = mix(mix(hash, item.instruction), item.stack);
  const std::uint32_t known = state_numbers_.find(hash, [&](std::uint32_t number) {
    const State& state = states_[number];
    return state.may_end == may_end_ && std::ranges::equal(std::span(items_).subspan(state.first, state.count), found_);
  });
  if (known != kUnknown) return known;
  const auto number = static_cast<StateId>(states_.size());
  State state{.first = static_cast<std::uint32_t>(items_.size()),
              .count = static_cast<std::uint32_t>(found_.size()),
              .may_end = may_end_};
  state.names_tokens =
      std::ranges::any_of(found_, [&](const Item& item) { return machine_.code[item.instruction].op == Op::token; });
  items_.insert(items_.end(), found_.begin(), found_.end());
  states_.push_back(state);
  next_.resize(next_.size() + n_classes_, kUnknown);
  state_numbers_.add(hash, number);
  return number;
}

// ---- reading ----

StateId Automaton::discover(StateId state, std::uint8_t byte) {
  const std::size_t c = class_of_[byte];
  work_.clear();
  for (std::uint32_t i = 0; i < states_[state].count; ++i) {
    const Item item = items_[states_[state].first + i];
    const Instruction& code = machine_.code[item.instruction];
    if (code.op == Op::byte && takes_[code.a * n_classes_ + c] != 0) work_.push_back({code.next, item.stack});
  }
  StateId to = kDeadState;
  if (!work_.empty()) {
    close();
    to = intern();
  }
  if (!failed_) next_[std::size_t{state} * n_classes_ + c] = to;
  return to;
}

StateId Automaton::next_by_token(StateId state, TokenId token) {
  work_.clear();
  for (std::uint32_t i = 0; i < states_[state].count; ++i) {
    const Item item = items_[states_[state].first + i];
    const Instruction& code = machine_.code[item.instruction];
    if (code.op == Op::token && code.a == static_cast<std::uint32_t>(token)) work_.push_back({code.next, item.stack});
  }
  if (work_.empty()) return kDeadState;
  close();
  return intern();
}

std::vector<TokenId> Automaton::named_tokens(StateId state) const {
  std::vector<TokenId> tokens;
  for (const Item& item : std::span(items_).subspan(states_[state].first, states_[state].count)) {
    const Instruction& code = machine_.code[item.instruction];
    if (code.op == Op::token) tokens.push_back(static_cast<TokenId>(code.a));
  }
  return tokens;
}

ByteSet Automaton::bytes(StateId state) const {
  ByteSet all;
  for (const Item& item : std::span(items_).subspan(states_[state].first, states_[state].count)) {
    const Instruction& code = machine_.code[item.instruction];
    if (code.op == Op::byte) all.add(machine_.sets[code.a]);
  }
  return all;
}

std::optional<std::uint8_t> Automaton::only_byte(StateId state) const {
  if (states_[state].may_end || states_[state].names_tokens) return std::nullopt;
  ByteSet all;
  for (const Item& item : std::span(items_).subspan(states_[state].first, states_[state].count)) {
    all.add(machine_.sets[machine_.code[item.instruction].a]);
    if (all.size() > 1) return std::nullopt;
  }
  if (all.size() != 1) return std::nullopt;
  return all.first();
}

// ---- states that a mask cannot tell apart ----

std::uint32_t Automaton::alike_stack(std::uint32_t stack) {
  // From the bottom up; a stack may be deeper than a thread's own.
  std::vector<std::uint32_t> above;
  while (alike_frames_[stack] == kUnknown) {
    above.push_back(stack);
    stack = frames_[stack].below;
  }
  std::uint32_t made = alike_frames_[stack];
  while (!above.empty()) {
    Frame frame = frames_[above.back()];
    frame.below = made;
    if ((frame.place & kLoopBit) != 0) {
      // The round that runs now ends behind at least one byte, like each of those after it.
      const Loop& loop = machine_.loops[frame.place & ~kLoopBit];
      const std::uint64_t reach = std::uint64_t{frame.rounds} + longest_token_ + 1;
      const bool may_leave = frame.rounds + 1 >= loop.min;
      if (reach < loop.min) {
        frame.rounds = 0;
      } else if (may_leave && reach < loop.max) {
        frame.rounds = loop.min == 0 ? 0 : loop.min - 1;
      }
    }
    made = push(frame);
    alike_frames_[above.back()] = made;
    above.pop_back();
  }
  return made;
}

StateId Automaton::alike(StateId state) {
  if (machine_.loops.empty()) return state;
  if (states_[state].alike != kUnknown) return states_[state].alike;
  found_.clear();
  may_end_ = states_[state].may_end;
  for (std::uint32_t i = 0; i < states_[state].count; ++i) {
    const Item item = items_[states_[state].first + i];
    found_.push_back({item.instruction, alike_stack(item.stack)});
  }
  std::ranges::sort(found_);
  found_.erase(std::ranges::unique(found_).begin(), found_.end());
  const StateId made = intern();
  if (failed_) return state;
  states_[state].alike = made;
  return made;
}

// ---- limits ----

Status Automaton::failure() {
  if (!std::exchange(failed_, false)) return {};
  return fail(
      Code::limit,
      "the grammar is too ambiguous: a text can be read in more than {} ways at once, or remembering them takes "
      "more than {}; make its repetitions and alternatives start differently",
      kMostItems, format_bytes(kHardLimit));
}

std::size_t Automaton::bytes_used() const {
  return frames_.size() * (sizeof(Frame) + sizeof(std::uint32_t)) + frame_numbers_.bytes() +
         states_.size() * sizeof(State) + state_numbers_.bytes() + items_.size() * sizeof(Item) +
         next_.size() * sizeof(std::uint32_t);
}

void Automaton::collect(std::span<StateId*> held) {
  std::vector<Frame> old_frames = std::exchange(frames_, {});
  std::vector<State> old_states = std::exchange(states_, {});
  std::vector<Item> old_items = std::exchange(items_, {});
  reset();
  std::vector<std::uint32_t> moved(old_frames.size(), kUnknown);
  moved[kNoStack] = kNoStack;
  std::vector<std::uint32_t> above;
  std::vector<StateId> new_numbers(old_states.size(), kUnknown);
  new_numbers[kDeadState] = kDeadState;
  for (StateId* const state : held) {
    if (new_numbers[*state] == kUnknown) {
      const State& old = old_states[*state];
      found_.clear();
      may_end_ = old.may_end;
      for (std::uint32_t i = 0; i < old.count; ++i) {
        const Item item = old_items[old.first + i];
        std::uint32_t stack = item.stack;
        for (; moved[stack] == kUnknown; stack = old_frames[stack].below) above.push_back(stack);
        for (; !above.empty(); above.pop_back()) {
          Frame frame = old_frames[above.back()];
          frame.below = moved[frame.below];
          moved[above.back()] = push(frame);
        }
        found_.push_back({item.instruction, moved[item.stack]});
      }
      std::ranges::sort(found_);
      new_numbers[*state] = intern();
    }
    *state = new_numbers[*state];
  }
}

}  // namespace wisp::text::grammar
