// A set of bytes.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace wisp::text::grammar {

struct ByteSet {
  std::array<std::uint64_t, 4> words = {};

  static ByteSet range(unsigned first, unsigned last) {
    ByteSet set;
    for (unsigned byte = first; byte <= last; ++byte) set.add(static_cast<std::uint8_t>(byte));
    return set;
  }
  void add(std::uint8_t byte) { words[byte / 64u] |= std::uint64_t{1} << (byte % 64u); }
  void add(const ByteSet& other) {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] |= other.words[i];
  }
  [[nodiscard]] bool contains(std::uint8_t byte) const { return (words[byte / 64u] >> (byte % 64u) & 1u) != 0; }
  [[nodiscard]] int size() const {
    int n = 0;
    for (const std::uint64_t word : words) n += std::popcount(word);
    return n;
  }
  // The lowest byte; the set must not be empty.
  [[nodiscard]] std::uint8_t first() const {
    std::size_t i = 0;
    while (i < words.size() - 1 && words[i] == 0) ++i;
    return static_cast<std::uint8_t>(i * 64u + static_cast<unsigned>(std::countr_zero(words[i])) % 64u);
  }
  friend bool operator==(const ByteSet&, const ByteSet&) = default;
};

}  // namespace wisp::text::grammar
