#include "text/jinja/sort.h"

#include <cstddef>
#include <numeric>

#include "text/jinja/operators.h"

namespace wisp::text::jinja {

Status sort_values(Context& context, std::vector<Value>& values, const std::vector<Value>& keys, bool reverse) {
  WISP_CHECK(context.spend(values.size()));
  std::vector<std::size_t> from(values.size());
  std::iota(from.begin(), from.end(), std::size_t{0});
  std::vector<std::size_t> to(values.size());
  // A merge sort from the bottom up; runs are [start, middle) and [middle, end).
  for (std::size_t width = 1; width < values.size(); width *= 2) {
    for (std::size_t start = 0; start < values.size(); start += 2 * width) {
      const std::size_t middle = std::min(start + width, values.size());
      const std::size_t end = std::min(start + 2 * width, values.size());
      std::size_t left = start;
      std::size_t right = middle;
      for (std::size_t at = start; at < end; ++at) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          // The right one goes first only where it must, so equal ones keep their order.
          const Value& a = keys[reverse ? from[left] : from[right]];
          const Value& b = keys[reverse ? from[right] : from[left]];
          WISP_TRY(const auto ordering, order(context, a, b));
          take_right = ordering < 0;
        }
        to[at] = take_right ? from[right++] : from[left++];
      }
    }
    std::swap(from, to);
  }
  std::vector<Value> sorted;
  sorted.reserve(values.size());
  for (const std::size_t i : from) sorted.push_back(values[i]);
  values = std::move(sorted);
  return {};
}

}  // namespace wisp::text::jinja
