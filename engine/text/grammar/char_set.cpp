#include "text/grammar/char_set.h"

#include <algorithm>

#include "text/unicode.h"

namespace wisp::text::grammar {
namespace {

constexpr char32_t kLast = 0x10FFFF;
constexpr CharRange kSurrogates = {0xD800, 0xDFFF};

template <class Predicate>
CharSet all_that(Predicate holds) {
  std::vector<CharRange> ranges;
  for (char32_t code = 0; code <= kLast; ++code) {
    if (!holds(code)) continue;
    if (!ranges.empty() && ranges.back().last + 1 == code) {
      ranges.back().last = code;
    } else {
      ranges.push_back({code, code});
    }
  }
  return CharSet(std::move(ranges));
}

}  // namespace

CharSet::CharSet(std::vector<CharRange> ranges) : ranges_(std::move(ranges)) { normalise(); }

CharSet CharSet::all() { return CharSet({{0, kLast}}); }

void CharSet::add(CharRange range) {
  ranges_.push_back(range);
  normalise();
}

void CharSet::add(const CharSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  normalise();
}

void CharSet::normalise() {
  std::vector<CharRange> cut;
  for (CharRange range : ranges_) {
    range.last = std::min(range.last, kLast);
    if (range.first > range.last) continue;
    if (range.first < kSurrogates.first)
      cut.push_back({range.first, std::min<char32_t>(range.last, kSurrogates.first - 1)});
    if (range.last > kSurrogates.last)
      cut.push_back({std::max<char32_t>(range.first, kSurrogates.last + 1), range.last});
  }
  std::ranges::sort(cut, {}, &CharRange::first);
  ranges_.clear();
  for (const CharRange& range : cut) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CharSet CharSet::complement() const {
  std::vector<CharRange> gaps;
  char32_t next = 0;
  for (const CharRange& range : ranges_) {
    if (range.first > next) gaps.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) gaps.push_back({next, kLast});
  return CharSet(std::move(gaps));
}

CharSet CharSet::intersection(const CharSet& other) const {
  std::vector<CharRange> common;
  std::size_t i = 0, j = 0;
  while (i < ranges_.size() && j < other.ranges_.size()) {
    const CharRange& a = ranges_[i];
    const CharRange& b = other.ranges_[j];
    const CharRange both = {std::max(a.first, b.first), std::min(a.last, b.last)};
    if (both.first <= both.last) common.push_back(both);
    if (a.last < b.last) {
      ++i;
    } else {
      ++j;
    }
  }
  return CharSet(std::move(common));
}

bool CharSet::contains(char32_t code) const {
  const auto after = std::ranges::upper_bound(ranges_, code, {}, &CharRange::first);
  return after != ranges_.begin() && std::prev(after)->last >= code;
}

const CharClass& CharClasses::digit() {
  if (!digit_) {
    digit_ = {CharSet{{U'0', U'9'}}, all_that([](char32_t code) { return category(code) == Category::Nd; })};
  }
  return *digit_;
}

const CharClass& CharClasses::word() {
  if (!word_) {
    word_ = {CharSet{{U'0', U'9'}, {U'A', U'Z'}, {U'a', U'z'}, {U'_', U'_'}}, all_that([](char32_t code) {
               return is_letter(code) || is_number(code) || is_mark(code) || category(code) == Category::Pc;
             })};
  }
  return *word_;
}

const CharClass& CharClasses::space() {
  if (!space_) {
    space_ = {CharSet{{U'\t', U'\r'}, {U' ', U' '}}, all_that([](char32_t code) { return is_space(code); })};
    space_->possible.add({0x1C, 0x1F});  // Python's
    space_->possible.add(0xFEFF);        // ECMAScript's
    space_->possible.add(0x180E);        // older Unicode's
  }
  return *space_;
}

std::optional<CharSet> CharClasses::category_set(std::string_view name) {
  // In the order of Category.
  constexpr std::string_view kNames = "LuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCoCn";
  if (name.empty() || name.size() > 2) return std::nullopt;
  std::uint32_t wanted = 0;  // a bit per category
  for (std::size_t i = 0; i < kNames.size(); i += 2) {
    if (kNames.substr(i, 2).starts_with(name)) wanted |= 1u << (i / 2);
  }
  if (wanted == 0) return std::nullopt;
  return all_that([wanted](char32_t code) { return (wanted >> static_cast<unsigned>(category(code)) & 1u) != 0; });
}

CharSet CharClasses::dot() {
  return CharSet{{U'\n', U'\n'}, {U'\r', U'\r'}, {0x85, 0x85}, {0x2028, 0x2029}}.complement();
}

}  // namespace wisp::text::grammar
