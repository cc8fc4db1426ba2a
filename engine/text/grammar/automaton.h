// The machine of a grammar made deterministic while it runs. A state stands for all the ways in which the text so far
// can be read: a set of (instruction that waits for input, stack), where stacks are nodes that share what lies below.
// States and nodes are numbered once and found again, and where a state goes with a byte is remembered, so that after a
// while reading a byte is one look into a table.
//
// What is remembered is bounded: collect() forgets all but the states that somebody holds. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "text/grammar/machine.h"

namespace wisp::text::grammar {

using StateId = std::uint32_t;
inline constexpr StateId kDeadState = 0;  // no text goes on from here

class Automaton {
 public:
  // `longest_token` [bytes]: how far ahead masks look (see alike()).
  Automaton(Machine machine, std::size_t longest_token);

  // Code::limit when already the start can be read in too many ways.
  Result<StateId> start();

  // Where a state goes with a byte; kDeadState when the byte cannot follow. Also kDeadState, and failed(), when a limit
  // was met.
  StateId next(StateId state, std::uint8_t byte) {
    const std::uint32_t known = next_[std::size_t{state} * n_classes_ + class_of_[byte]];
    return known != kUnknown ? known : discover(state, byte);
  }
  // The same for a token that the grammar names.
  StateId next_by_token(StateId state, TokenId token);

  [[nodiscard]] bool may_end(StateId state) const { return states_[state].may_end; }
  // The tokens that the state can read by name.
  [[nodiscard]] std::vector<TokenId> named_tokens(StateId state) const;
  [[nodiscard]] bool names_tokens(StateId state) const { return states_[state].names_tokens; }
  // Every byte that can follow, not counting tokens read by name.
  [[nodiscard]] ByteSet bytes(StateId state) const;
  // The byte, where exactly one can follow and the text cannot end.
  [[nodiscard]] std::optional<std::uint8_t> only_byte(StateId state) const;
  // Another state that reads the same texts up to the length of the longest token: how often a loop has run matters
  // only near its bounds. Of many states it is the same one.
  StateId alike(StateId state);

  // A limit was met since the last clear_failure(): the grammar can be read in too many ways at once, or needs too much
  // memory.
  [[nodiscard]] bool failed() const { return failed_; }
  Status failure();  // and clears it

  // ---- memory ----

  [[nodiscard]] std::size_t bytes_used() const;
  [[nodiscard]] bool wants_collection() const { return bytes_used() > kSoftLimit; }
  // Forgets all states but `held`, which get new numbers.
  void collect(std::span<StateId*> held);
  [[nodiscard]] std::size_t n_states() const { return states_.size(); }

  static constexpr std::size_t kSoftLimit = std::size_t{32} << 20, kHardLimit = std::size_t{128} << 20;
  // Ways to read a text at once.
  static constexpr std::size_t kMostItems = 1u << 14;

 private:
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFFu;
  static constexpr std::uint32_t kNoStack = 0;

  // A place to go on at, or a loop and its finished rounds.
  struct Frame {
    std::uint32_t below = kNoStack;
    std::uint32_t place = 0;  // an instruction, or kLoopBit | loop
    std::uint32_t rounds = 0;
    friend bool operator==(const Frame&, const Frame&) = default;
  };
  static constexpr std::uint32_t kLoopBit = 0x80000000u;
  struct Item {
    std::uint32_t instruction, stack;
    friend auto operator<=>(const Item&, const Item&) = default;
  };
  struct State {
    std::uint32_t first = 0, count = 0;  // of items_
    std::uint32_t alike = kUnknown;
    bool may_end = false, names_tokens = false;
  };

  // Open addressing: numbers of things by the hash of what they are.
  class Numbers {
   public:
    template <class Same>
    std::uint32_t find(std::uint64_t hash, Same same) const;
    void add(std::uint64_t hash, std::uint32_t number);
    void clear();
    [[nodiscard]] std::size_t bytes() const { return slots_.capacity() * sizeof(Slot); }

   private:
    struct Slot {
      std::uint32_t hash = 0, number = kUnknown;
    };
    std::vector<Slot> slots_ = std::vector<Slot>(64);
    std::size_t used_ = 0;
  };

  void find_classes();
  StateId discover(StateId state, std::uint8_t byte);
  std::uint32_t push(Frame frame);
  // Follows everything that reads nothing, from work_, into found_ and may_end_.
  void close();
  void visit(std::uint32_t instruction, std::uint32_t stack);
  void decide(std::uint32_t loop, std::uint32_t rounds, std::uint32_t stack);
  StateId intern();  // what close() found
  std::uint32_t alike_stack(std::uint32_t stack);
  void reset();

  Machine machine_;
  std::uint32_t longest_token_;
  std::array<std::uint8_t, 256> class_of_ = {};
  std::vector<std::uint8_t> byte_of_class_;
  std::size_t n_classes_ = 1;
  std::vector<std::uint8_t> takes_;  // [sets, classes]: whether a set has the bytes of a class

  std::vector<Frame> frames_;  // stacks, by their top; 0 is the empty one
  Numbers frame_numbers_;
  std::vector<std::uint32_t> alike_frames_;  // kUnknown where not asked yet
  std::vector<State> states_;
  Numbers state_numbers_;
  std::vector<Item> items_;
  std::vector<std::uint32_t> next_;  // [states, classes]
  bool failed_ = false;

  // Scratch.
  std::vector<Item> work_, found_;
  std::vector<std::uint64_t> visited_;  // a hash set; kNothing where free
  std::size_t n_visited_ = 0;
  bool may_end_ = false;
};

}  // namespace wisp::text::grammar
