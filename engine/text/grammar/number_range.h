// Numbers between bounds, as decimal digits.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "text/grammar/grammar.h"
#include "text/grammar/json_value.h"

namespace wisp::text::grammar {

struct Bound {
  Decimal at;
  bool inclusive = true;
};
struct NumberRange {
  std::optional<Bound> low, high;
};

// Digits in front of the point where no bound says otherwise, and digits of a number in all: what a double keeps.
inline constexpr std::uint32_t kMostDigits = 15;

// Integers of the range in plain digits. `never` where there are none. Code::unsupported where a bound has more than 18
// digits.
Result<NodeId> integer_range(Grammar& grammar, const NumberRange& range);
// Numbers of the range in plain digits with a fraction of up to 6 digits, or of as many as a bound has.
Result<NodeId> number_range(Grammar& grammar, const NumberRange& range);
// Integers of the range that `divisor`, at least 1, divides. Code::unsupported where neither the range holds few of
// them nor the range is without bounds, or from 0 up, and the divisor small.
Result<NodeId> multiples(Grammar& grammar, const NumberRange& range, std::int64_t divisor);

}  // namespace wisp::text::grammar
