// The loop that SPM and BPE share: of all neighbouring pieces that may merge, join the pair of lowest rank, the
// leftmost of equals, until none is left. What may merge, and how it ranks, is the caller's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

#include "text/token_index.h"

namespace wisp::text {

// A piece of a word: which symbol it is (kNoSymbol: none) and where it stands, in bytes.
struct Piece {
  SymbolId id = kNoSymbol;
  std::uint32_t start = 0;
  std::uint32_t length = 0;
};

struct Merge {
  std::uint32_t rank = UINT32_MAX;  // lower first; UINT32_MAX: the pair does not merge
  SymbolId merged = kNoSymbol;
};

// Memory that is kept from word to word.
struct MergeScratch {
  std::vector<Piece> pieces;
  std::vector<Merge> merges;
};

// Up to here scanning all pairs for each merge costs less than keeping a heap. Measured: equal near 60 pieces.
inline constexpr std::size_t kScanLimit = 48;

// For few pieces: quadratic, but over a short array. find(left, right) -> Merge.
template <class Find>
void merge_by_scan(MergeScratch& scratch, const Find& find) {
  std::vector<Piece>& pieces = scratch.pieces;
  std::vector<Merge>& merges = scratch.merges;  // [i]: of pieces i and i + 1
  merges.clear();
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i) merges.push_back(find(pieces[i], pieces[i + 1]));
  while (!merges.empty()) {
    const auto best = std::ranges::min_element(merges, {}, &Merge::rank);
    if (best->rank == UINT32_MAX) return;
    const auto i = static_cast<std::size_t>(best - merges.begin());
    pieces[i].id = best->merged;
    pieces[i].length += pieces[i + 1].length;
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    merges.erase(best);
    if (i > 0) merges[i - 1] = find(pieces[i - 1], pieces[i]);
    if (i < merges.size()) merges[i] = find(pieces[i], pieces[i + 1]);
  }
}

// For many: n log n, over a linked list and a heap whose stale entries are recognised when they come up.
template <class Find>
void merge_by_heap(MergeScratch& scratch, const Find& find) {
  struct Candidate {
    Merge merge;
    std::uint32_t left, right;                      // indices of pieces
    std::uint32_t length;                           // of both together when this was pushed
    bool operator<(const Candidate& other) const {  // the heap's top is the greatest
      return merge.rank != other.merge.rank ? merge.rank > other.merge.rank : left > other.left;
    }
  };
  constexpr std::uint32_t kNone = UINT32_MAX;
  std::vector<Piece>& pieces = scratch.pieces;
  const auto n = static_cast<std::uint32_t>(pieces.size());
  std::vector<std::uint32_t> next(n), previous(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    previous[i] = i == 0 ? kNone : i - 1;
    next[i] = i + 1 == n ? kNone : i + 1;
  }
  std::priority_queue<Candidate> heap;
  const auto consider = [&](std::uint32_t left, std::uint32_t right) {
    if (left == kNone || right == kNone) return;
    const Merge merge = find(pieces[left], pieces[right]);
    if (merge.rank != UINT32_MAX) heap.push({merge, left, right, pieces[left].length + pieces[right].length});
  };
  for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i, i + 1);
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    Piece& left = pieces[top.left];
    Piece& right = pieces[top.right];
    // A piece that was swallowed has length 0; one that grew since no longer adds up.
    if (left.length == 0 || right.length == 0 || left.length + right.length != top.length) continue;
    left.id = top.merge.merged;
    left.length += right.length;
    right.length = 0;
    next[top.left] = next[top.right];
    if (next[top.left] != kNone) previous[next[top.left]] = top.left;
    consider(previous[top.left], top.left);
    consider(top.left, next[top.left]);
  }
  std::erase_if(pieces, [](const Piece& piece) { return piece.length == 0; });
}

template <class Find>
void merge_pieces(MergeScratch& scratch, const Find& find) {
  if (scratch.pieces.size() <= kScanLimit) {
    merge_by_scan(scratch, find);
  } else {
    merge_by_heap(scratch, find);
  }
}

}  // namespace wisp::text
