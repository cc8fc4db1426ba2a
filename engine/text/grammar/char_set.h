// A set of characters (Unicode scalar values), as sorted ranges that do not touch.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace wisp::text::grammar {

struct CharRange {
  char32_t first, last;  // both inside
  friend bool operator==(const CharRange&, const CharRange&) = default;
};

class CharSet {
 public:
  CharSet() = default;
  // In any order, overlapping or not. Surrogates and what lies above U+10FFFF are left out.
  explicit CharSet(std::vector<CharRange> ranges);
  CharSet(std::initializer_list<CharRange> ranges) : CharSet(std::vector<CharRange>(ranges)) {}
  static CharSet all();

  void add(char32_t code) { add({code, code}); }
  void add(CharRange range);
  void add(const CharSet& other);

  [[nodiscard]] CharSet complement() const;
  [[nodiscard]] CharSet intersection(const CharSet& other) const;
  [[nodiscard]] CharSet without(const CharSet& other) const { return intersection(other.complement()); }
  [[nodiscard]] bool contains(char32_t code) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  // Of a temporary by value: GCC 12 is without P2718, by which a range-based for keeps what it takes its range from.
  [[nodiscard]] const std::vector<CharRange>& ranges() const& { return ranges_; }
  [[nodiscard]] std::vector<CharRange> ranges() && { return std::move(ranges_); }

 private:
  void normalise();
  std::vector<CharRange> ranges_;
};

// ---- classes that patterns name ----

// Patterns are read alike by validators that differ about Unicode: Python's \d takes every decimal digit, ECMAScript's
// the ASCII ones. A class is therefore two sets: `sure` is in it for every reader, `possible` for some. What is
// generated comes from `sure`; a negation is the complement of `possible`.
struct CharClass {
  CharSet sure, possible;
  [[nodiscard]] CharClass negated() const { return {possible.complement(), sure.complement()}; }
  void add(const CharClass& other) {
    sure.add(other.sure);
    possible.add(other.possible);
  }
};

// The named classes, each made on its first use: going through all of Unicode takes milliseconds.
class CharClasses {
 public:
  const CharClass& digit();  // \d
  const CharClass& word();   // \w
  const CharClass& space();  // \s
  // \p{name}: a general category, "Lu", or the first letter of several, "L". Nothing for other names.
  static std::optional<CharSet> category_set(std::string_view name);
  // What a dot stands for: all but line ends.
  static CharSet dot();

 private:
  std::optional<CharClass> digit_, word_, space_;
};

}  // namespace wisp::text::grammar
