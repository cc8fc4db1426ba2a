// Ends a stream of text before any of several stop strings, however the text is cut into pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wisp::sample {

// The stop string that is complete first ends the text; of several that are complete at the same byte, the longest. The
// text before it comes out, the stop string and all after it do not. Text waits only while it may yet become a stop
// string. Whole UTF-8 in, whole UTF-8 out: a stop string starts where a character starts.
class StopMatcher {
 public:
  // Refuses an empty stop string; no stop strings at all is fine and holds nothing back.
  static Result<StopMatcher> create(std::span<const std::string> stops);

  // Appends to `out` the text that is now safe to show. True once a stop string was found; later text is ignored.
  bool push(std::string_view piece, std::string& out);
  // The stream ended: appends what was held back.
  void flush(std::string& out);
  // Forgets the text, keeps the stop strings.
  void reset();

  // Which stop string ended the text, as an index into create()'s list.
  [[nodiscard]] std::optional<std::size_t> matched() const { return matched_; }
  [[nodiscard]] std::size_t n_held() const { return held_.size(); }

 private:
  // A trie of the stop strings with failure links (Aho and Corasick 1975). The depth of the current state is the length
  // of the longest end of the text that begins some stop string, which is just what must be held back.
  using State = std::uint32_t;
  static constexpr State kRoot = 0;
  static constexpr State kNoState = 0xFFFFFFFFu;
  struct Node {
    State first_child = kNoState;
    State next_sibling = kNoState;
    State fail = kRoot;             // the longest proper end of this node's string that is in the trie
    std::uint32_t depth = 0;        // bytes
    std::uint32_t stop_length = 0;  // of the longest stop string that ends here, 0 for none
    std::uint32_t stop_index = 0;
    char byte = 0;
  };

  [[nodiscard]] State child(State state, char byte) const;
  [[nodiscard]] State advance(State state, char byte) const;
  void add_failure_links();

  std::vector<Node> nodes_;
  State state_ = kRoot;
  std::string held_;
  std::optional<std::size_t> matched_;
};

}  // namespace wisp::sample
