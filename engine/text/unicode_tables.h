// The tables behind text/unicode.h, written by tools/make_unicode_tables.py. Include unicode.h instead.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wisp::text::tables {

// The category of c is category_leaves[category_middle[category_top[c >> 13] * 64 + (c >> 7 & 63)] * 128 + (c & 127)] -
// 'A'.
extern const std::uint8_t category_top[];
extern const std::uint8_t category_middle[];
extern const char category_leaves[];

// Every `step`th code point of [first, last] maps to itself plus `delta`. Sorted, not overlapping.
struct CaseRun {
  std::int32_t first, last, step, delta;
};
extern const CaseRun lower_runs[];
extern const std::size_t lower_runs_count;
extern const CaseRun upper_runs[];
extern const std::size_t upper_runs_count;

// Upper cases of several characters, and title cases that are not the upper case. UTF-8, sorted by code point.
struct WideCase {
  std::int32_t code;
  const char* upper;
  const char* title;
};
extern const WideCase wide_cases[];
extern const std::size_t wide_cases_count;

// The canonical decompositions of [first, last] all start with `base`. Sorted, not overlapping.
struct BaseRun {
  std::int32_t first, last, base;
};
extern const BaseRun base_runs[];
extern const std::size_t base_runs_count;

}  // namespace wisp::text::tables
