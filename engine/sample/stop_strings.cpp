#include "sample/stop_strings.h"

#include <limits>

namespace wisp::sample {

Result<StopMatcher> StopMatcher::create(std::span<const std::string> stops) {
  StopMatcher matcher;
  matcher.nodes_.emplace_back();
  std::size_t longest = 0;
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const std::string& stop = stops[i];
    if (stop.empty()) return fail(Code::invalid_argument, "stop string {} is empty, expected at least one byte", i);
    if (stop.size() >= std::numeric_limits<State>::max() - matcher.nodes_.size()) {
      return fail(Code::limit, "stop string {} is too long ({} bytes)", i, stop.size());
    }
    longest = std::max(longest, stop.size());
    State state = kRoot;
    for (const char byte : stop) {
      State next = matcher.child(state, byte);
      if (next == kNoState) {
        next = static_cast<State>(matcher.nodes_.size());
        Node node;
        node.byte = byte;
        node.depth = matcher.nodes_[state].depth + 1;
        node.next_sibling = matcher.nodes_[state].first_child;
        matcher.nodes_.push_back(node);
        matcher.nodes_[state].first_child = next;
      }
      state = next;
    }
    Node& end = matcher.nodes_[state];
    if (end.stop_length == 0) {
      end.stop_length = end.depth;
      end.stop_index = static_cast<std::uint32_t>(i);
    }
  }
  matcher.add_failure_links();
  matcher.held_.reserve(longest);
  return matcher;
}

// Breadth first, so that the links of all shorter strings are there already.
void StopMatcher::add_failure_links() {
  std::vector<State> queue = {kRoot};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const State parent = queue[i];
    for (State state = nodes_[parent].first_child; state != kNoState; state = nodes_[state].next_sibling) {
      Node& node = nodes_[state];
      node.fail = parent == kRoot ? kRoot : advance(nodes_[parent].fail, node.byte);
      if (node.stop_length == 0) {
        node.stop_length = nodes_[node.fail].stop_length;
        node.stop_index = nodes_[node.fail].stop_index;
      }
      queue.push_back(state);
    }
  }
}

StopMatcher::State StopMatcher::child(State state, char byte) const {
  State next = nodes_[state].first_child;
  while (next != kNoState && nodes_[next].byte != byte) next = nodes_[next].next_sibling;
  return next;
}

// The state after one more byte.
StopMatcher::State StopMatcher::advance(State state, char byte) const {
  while (true) {
    const State next = child(state, byte);
    if (next != kNoState) return next;
    if (state == kRoot) return kRoot;
    state = nodes_[state].fail;
  }
}

bool StopMatcher::push(std::string_view piece, std::string& out) {
  if (matched_) return true;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    state_ = advance(state_, piece[i]);
    const Node& node = nodes_[state_];
    if (node.stop_length == 0) continue;
    // All of the stop string lies at the end of what was held plus piece[0, i].
    matched_ = node.stop_index;
    held_.append(piece.substr(0, i + 1));
    out.append(held_, 0, held_.size() - node.stop_length);
    held_.clear();
    return true;
  }
  held_.append(piece);
  const std::size_t n_safe = held_.size() - nodes_[state_].depth;
  out.append(held_, 0, n_safe);
  held_.erase(0, n_safe);
  return false;
}

void StopMatcher::flush(std::string& out) {
  out.append(held_);
  held_.clear();
  state_ = kRoot;
}

void StopMatcher::reset() {
  held_.clear();
  state_ = kRoot;
  matched_.reset();
}

}  // namespace wisp::sample
