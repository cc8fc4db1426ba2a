#include "text/merge.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace wisp::text {
namespace {

// The definition, word for word: again and again, of all neighbours the lowest rank, the leftmost of equals.
template <class Find>
std::vector<Piece> merge_naively(std::vector<Piece> pieces, const Find& find) {
  while (true) {
    std::size_t best = 0;
    Merge best_merge;
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      const Merge merge = find(pieces[i], pieces[i + 1]);
      if (merge.rank < best_merge.rank) {
        best = i;
        best_merge = merge;
      }
    }
    if (best_merge.rank == UINT32_MAX) return pieces;
    pieces[best].id = best_merge.merged;
    pieces[best].length += pieces[best + 1].length;
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

std::string shape(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces) {
    text += std::to_string(piece.id) + "@" + std::to_string(piece.start) + "+" + std::to_string(piece.length) + " ";
  }
  return text;
}

// Random merge lists over few symbols, so that pairs meet often, with equal ranks as SPM's equal scores give.
TEST(Merge, ScanAndHeapEqualTheDefinition) {
  std::mt19937 random(7);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 400; ++round) {
    const std::uint32_t symbols = 2 + below(6);
    std::map<std::pair<SymbolId, SymbolId>, Merge> merges;
    for (std::uint32_t i = below(40); i > 0; --i) {
      merges[{below(symbols + 8), below(symbols + 8)}] = {below(12), symbols + below(8)};
    }
    const auto find = [&](const Piece& left, const Piece& right) {
      const auto found = merges.find({left.id, right.id});
      return found == merges.end() ? Merge{} : found->second;
    };
    std::vector<Piece> pieces;
    for (std::uint32_t i = 0, n = below(120); i < n; ++i) pieces.push_back({below(symbols), i, 1});
    const std::string expected = shape(merge_naively(pieces, find));
    MergeScratch scan{pieces, {}};
    merge_by_scan(scan, find);
    ASSERT_EQ(shape(scan.pieces), expected) << "round " << round;
    MergeScratch heap{pieces, {}};
    merge_by_heap(heap, find);
    ASSERT_EQ(shape(heap.pieces), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace wisp::text
