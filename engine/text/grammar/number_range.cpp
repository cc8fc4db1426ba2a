#include "text/grammar/number_range.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace wisp::text::grammar {
namespace {

constexpr std::int64_t kFarthest = 999'999'999'999'999'999;  // 18 digits

NodeId digits(Grammar& grammar, char first, char last) {
  return grammar.byte(ByteSet::range(static_cast<unsigned char>(first), static_cast<unsigned char>(last)));
}
NodeId any_digits(Grammar& grammar, std::size_t min, std::size_t max) {
  return grammar.repeat(digits(grammar, '0', '9'), static_cast<std::uint32_t>(min), static_cast<std::uint32_t>(max));
}

// ---- integers ----

// Numbers of as many digits as both bounds have, from `low` to `high`.
NodeId same_length(Grammar& grammar, std::string_view low, std::string_view high) {
  if (low.empty()) return grammar.empty();
  const std::size_t rest = low.size() - 1;
  if (low.front() == high.front()) {
    return grammar.sequence({grammar.literal(low.substr(0, 1)), same_length(grammar, low.substr(1), high.substr(1))});
  }
  std::string nines(rest, '9'), zeros(rest, '0');
  char first = low.front(), last = high.front();
  std::vector<NodeId> ways;
  if (low.substr(1) != zeros) {
    ways.push_back(grammar.sequence({grammar.literal(low.substr(0, 1)), same_length(grammar, low.substr(1), nines)}));
    ++first;
  }
  if (high.substr(1) != nines) {
    ways.push_back(grammar.sequence({grammar.literal(high.substr(0, 1)), same_length(grammar, zeros, high.substr(1))}));
    --last;
  }
  if (first <= last) {
    ways.push_back(grammar.sequence({digits(grammar, first, last), any_digits(grammar, rest, rest)}));
  }
  return grammar.choice(ways);
}

// 0 <= low <= high.
NodeId natural_range(Grammar& grammar, std::int64_t low, std::int64_t high) {
  const std::string last = fmt::format("{}", high);
  std::vector<NodeId> ways;
  std::string from = fmt::format("{}", low);
  for (; from.size() < last.size(); from = "1" + std::string(from.size(), '0')) {
    ways.push_back(same_length(grammar, from, std::string(from.size(), '9')));
  }
  ways.push_back(same_length(grammar, from, last));
  return grammar.choice(ways);
}

struct Integers {
  std::int64_t low, high;
};

// The integers inside; none where low > high.
Result<Integers> integers_of(const NumberRange& range) {
  std::int64_t far = 1;
  for (std::uint32_t i = 0; i < kMostDigits; ++i) far *= 10;
  Integers inside{-(far - 1), far - 1};
  const auto read = [](const Bound& bound, bool upwards) -> Result<std::int64_t> {
    const Decimal& at = bound.at;
    if (at.is_zero()) return bound.inclusive ? 0 : upwards ? 1 : -1;
    if (at.exponent > 18) {
      if (at.negative != upwards) return fail(Code::unsupported, "a bound has more than 18 digits");
      return upwards ? -kFarthest : kFarthest;  // as good as none
    }
    std::int64_t whole = 0;
    const std::string text = at.exponent <= 0 ? "0" : at.whole();
    static_cast<void>(std::from_chars(text.data(), text.data() + text.size(), whole));
    if (at.negative) whole = -whole;
    const bool exact = at.is_integer();
    if (upwards) {  // the least integer inside
      if (exact) return whole + (bound.inclusive ? 0 : 1);
      return at.negative ? whole : whole + 1;
    }
    if (exact) return whole - (bound.inclusive ? 0 : 1);
    return at.negative ? whole - 1 : whole;
  };
  if (range.low) {
    WISP_TRY(inside.low, read(*range.low, true));
    if (!range.high && inside.low > inside.high) inside.high = kFarthest;
  }
  if (range.high) {
    WISP_TRY(inside.high, read(*range.high, false));
    if (!range.low && inside.high < inside.low) inside.low = -kFarthest;
  }
  return inside;
}

NodeId integers(Grammar& grammar, const Integers& inside) {
  std::vector<NodeId> ways;
  if (inside.low > inside.high) return grammar.never();
  if (inside.high >= 0) ways.push_back(natural_range(grammar, std::max<std::int64_t>(inside.low, 0), inside.high));
  if (inside.low < 0) {
    const NodeId below = natural_range(grammar, std::max<std::int64_t>(-inside.high, 1), -inside.low);
    ways.push_back(grammar.sequence({grammar.literal("-"), below}));
  }
  return grammar.choice(ways);
}

// ---- fractions ----

// Digits behind a point, compared with those of bounds that the digits so far are equal to.
class Fractions {
 public:
  Fractions(Grammar& grammar, std::string low, bool low_inclusive, std::string high, bool high_inclusive)
      : grammar_(grammar),
        low_(std::move(low)),
        high_(std::move(high)),
        low_in_(low_inclusive),
        high_in_(high_inclusive) {}

  // The point and what follows, or nothing: 0.low to 0.high where the flags say that a bound is one.
  NodeId build(bool has_low, bool has_high, std::size_t room) {
    std::vector<NodeId> ways = {grammar_.sequence({grammar_.literal("."), more(0, has_low, has_high, room)})};
    if (may_stop(0, has_low, has_high)) ways.push_back(grammar_.empty());
    return grammar_.choice(ways);
  }

 private:
  static char at(const std::string& text, std::size_t i) { return i < text.size() ? text[i] : '0'; }
  [[nodiscard]] bool may_stop(std::size_t i, bool low, bool high) const {
    const bool enough = !low || (i >= low_.size() && low_in_);
    const bool not_too_much = !high || i < high_.size() || high_in_;
    return enough && not_too_much;
  }
  NodeId from(std::size_t i, bool low, bool high, std::size_t room) {
    if (!low && !high) return any_digits(grammar_, 0, room);
    std::vector<NodeId> ways = {more(i, low, high, room)};
    if (may_stop(i, low, high)) ways.push_back(grammar_.empty());
    return grammar_.choice(ways);
  }
  // At least one digit.
  NodeId more(std::size_t i, bool low, bool high, std::size_t room) {
    if (room == 0) return grammar_.never();
    const char least = low ? at(low_, i) : '0', most = high ? at(high_, i) : '9';
    std::vector<NodeId> ways;
    for (char digit = least; digit <= most;) {
      const bool on_low = low && digit == least, on_high = high && digit == most;
      char last = digit;  // digits that lie alike to both bounds
      if (!on_low && !on_high) last = high ? static_cast<char>(most - 1) : most;
      ways.push_back(grammar_.sequence({digits(grammar_, digit, last), from(i + 1, on_low, on_high, room - 1)}));
      digit = static_cast<char>(last + 1);
    }
    return grammar_.choice(ways);
  }

  Grammar& grammar_;
  std::string low_, high_;
  bool low_in_, high_in_;
};

// From `low` (at least 0) to `high`, both without signs.
Result<NodeId> positive_range(Grammar& grammar, const Bound& low, const std::optional<Bound>& high,
                              std::size_t places) {
  const auto whole = [](const Decimal& at) -> Result<std::int64_t> {
    if (at.exponent > static_cast<std::int64_t>(kMostDigits)) {
      return fail(Code::unsupported, "a bound has more than {} digits in front of its point", kMostDigits);
    }
    const std::string text = at.exponent <= 0 ? "0" : at.whole();
    std::int64_t value = 0;
    static_cast<void>(std::from_chars(text.data(), text.data() + text.size(), value));
    return value;
  };
  if (high) {
    const int order = compare(low.at, high->at);
    if (order > 0 || (order == 0 && !(low.inclusive && high->inclusive))) return grammar.never();
  }
  WISP_TRY(const std::int64_t first, whole(low.at));
  std::int64_t last = 1;
  for (std::uint32_t i = 0; i < kMostDigits; ++i) last *= 10;
  last = std::max(last - 1, first + 1);
  if (high) {
    WISP_TRY(last, whole(high->at));
  }
  const std::string low_digits = low.at.fraction();
  const std::string high_digits = high ? high->at.fraction() : std::string();
  Fractions fractions(grammar, low_digits, low.inclusive, high_digits, high && high->inclusive);
  const auto ways_at = [&](std::int64_t value, bool is_low, bool is_high) {
    return grammar.sequence({grammar.literal(fmt::format("{}", value)), fractions.build(is_low, is_high, places)});
  };
  std::vector<NodeId> ways = {ways_at(first, true, high && first == last)};
  if (high && first != last) ways.push_back(ways_at(last, false, true));
  const std::int64_t inner_last = high ? last - 1 : last;
  if (first + 1 <= inner_last) {
    ways.push_back(
        grammar.sequence({natural_range(grammar, first + 1, inner_last), fractions.build(false, false, places)}));
  }
  return grammar.choice(ways);
}

std::optional<Bound> mirrored(std::optional<Bound> bound) {
  if (bound) bound->at.negative = !bound->at.negative && !bound->at.is_zero();
  return bound;
}

}  // namespace

Result<NodeId> integer_range(Grammar& grammar, const NumberRange& range) {
  WISP_TRY(const Integers inside, integers_of(range));
  return integers(grammar, inside);
}

Result<NodeId> number_range(Grammar& grammar, const NumberRange& range) {
  std::size_t places = 6, most_whole = 1;
  for (const std::optional<Bound>& bound : {range.low, range.high}) {
    if (!bound) continue;
    if (bound->at.exponent < -static_cast<std::int64_t>(kMostDigits)) {
      return fail(Code::unsupported, "a bound is nearer to 0 than {} digits can tell", kMostDigits);
    }
    if (bound->at.exponent > 0) most_whole = std::max(most_whole, static_cast<std::size_t>(bound->at.exponent));
  }
  for (const std::optional<Bound>& bound : {range.low, range.high}) {
    if (bound && most_whole <= kMostDigits) places = std::max(places, bound->at.fraction().size());
  }
  places = most_whole >= kMostDigits ? 1 : std::min(places, kMostDigits - most_whole);
  std::vector<NodeId> ways;
  if (!range.high || !range.high->at.negative) {
    const bool above = range.low && !range.low->at.negative;
    WISP_TRY(ways.emplace_back(), positive_range(grammar, above ? *range.low : Bound{}, range.high, places));
  }
  if (!range.low || range.low->at.negative) {
    const bool below = range.high && range.high->at.negative;
    // 0 has no sign here.
    const Bound nearest = below ? *mirrored(range.high) : Bound{{}, false};
    WISP_TRY(const NodeId node, positive_range(grammar, nearest, mirrored(range.low), places));
    ways.push_back(grammar.sequence({grammar.literal("-"), node}));
  }
  return grammar.choice(ways);
}

Result<NodeId> multiples(Grammar& grammar, const NumberRange& range, std::int64_t divisor) {
  constexpr std::int64_t kMostListed = 2000, kLargestDivisor = 1000;
  WISP_TRY(const Integers inside, integers_of(range));
  if (divisor == 1) return integers(grammar, inside);
  if (inside.low > inside.high) return grammar.never();
  const std::int64_t first = inside.low / divisor, last = inside.high / divisor;
  if (last - first <= kMostListed) {
    std::vector<NodeId> ways;
    for (std::int64_t i = first; i <= last; ++i) {
      const std::int64_t value = i * divisor;
      if (value >= inside.low && value <= inside.high) ways.push_back(grammar.literal(fmt::format("{}", value)));
    }
    return grammar.choice(ways);
  }
  const bool from_zero = range.low && (inside.low == 0 || (inside.low > 0 && inside.low <= divisor));
  if (range.high || (range.low && !from_zero) || divisor > kLargestDivisor) {
    return fail(
        Code::unsupported,
        "multiples of {} in this range cannot be held: give both bounds with at most {} multiples between, or no "
        "bound but a minimum of 0, and a divisor up to {}",
        divisor, kMostListed, kLargestDivisor);
  }
  // A rule per remainder of the digits so far.
  std::vector<RuleId> rules;
  for (std::int64_t r = 0; r < divisor; ++r) rules.push_back(grammar.declare("multiples"));
  const auto steps = [&](std::int64_t remainder, int least) {
    std::vector<NodeId> ways;
    for (int digit = least; digit <= 9; ++digit) {
      const auto to = static_cast<std::size_t>((remainder * 10 + digit) % divisor);
      const char text = static_cast<char>('0' + digit);
      ways.push_back(grammar.sequence({grammar.literal(std::string_view(&text, 1)), grammar.rule(rules[to])}));
    }
    return ways;
  };
  for (std::int64_t r = 0; r < divisor; ++r) {
    std::vector<NodeId> ways = steps(r, 0);
    if (r == 0) ways.push_back(grammar.empty());
    grammar.define(rules[static_cast<std::size_t>(r)], grammar.choice(ways));
  }
  const NodeId positive = grammar.choice(steps(0, 1));
  std::vector<NodeId> ways = {positive};
  if (inside.low <= 0) ways.push_back(grammar.literal("0"));
  if (!range.low) ways.push_back(grammar.sequence({grammar.literal("-"), positive}));
  return grammar.choice(ways);
}

}  // namespace wisp::text::grammar
