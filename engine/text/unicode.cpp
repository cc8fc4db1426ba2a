#include "text/unicode.h"

#include <algorithm>
#include <span>

#include "text/unicode_tables.h"

namespace wisp::text {
namespace {

char32_t map_case(char32_t code, std::span<const tables::CaseRun> runs) {
  const auto signed_code = static_cast<std::int32_t>(code);
  const auto run = std::ranges::lower_bound(runs, signed_code, {}, &tables::CaseRun::last);
  if (code > 0x10FFFF || run == runs.end() || signed_code < run->first) return code;
  if ((signed_code - run->first) % run->step != 0) return code;
  return static_cast<char32_t>(signed_code + run->delta);
}

const tables::WideCase* wide_case(char32_t code) {
  const std::span<const tables::WideCase> cases(tables::wide_cases, tables::wide_cases_count);
  const auto found = std::ranges::lower_bound(cases, static_cast<std::int32_t>(code), {}, &tables::WideCase::code);
  return found != cases.end() && static_cast<char32_t>(found->code) == code ? &*found : nullptr;
}

}  // namespace

Category category(char32_t code) {
  if (code > 0x10FFFF) return Category::Cn;
  const std::size_t middle = tables::category_top[code >> 13];
  const std::size_t leaf = tables::category_middle[middle * 64 + (code >> 7 & 63)];
  return static_cast<Category>(tables::category_leaves[leaf * 128 + (code & 127)] - 'A');
}

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  if (code == 0x85) return true;
  const Category kind = category(code);
  return kind >= Category::Zs && kind <= Category::Zp;
}

char32_t to_lower(char32_t code) { return map_case(code, {tables::lower_runs, tables::lower_runs_count}); }
char32_t to_upper(char32_t code) { return map_case(code, {tables::upper_runs, tables::upper_runs_count}); }

void append_upper(std::string& out, char32_t code) {
  const tables::WideCase* wide = wide_case(code);
  wide != nullptr ? void(out += wide->upper) : append_utf8(out, to_upper(code));
}

void append_title(std::string& out, char32_t code) {
  const tables::WideCase* wide = wide_case(code);
  wide != nullptr ? void(out += wide->title) : append_utf8(out, to_upper(code));
}

char32_t base_of(char32_t code) {
  const std::span<const tables::BaseRun> runs(tables::base_runs, tables::base_runs_count);
  const auto signed_code = static_cast<std::int32_t>(code);
  const auto run = std::ranges::lower_bound(runs, signed_code, {}, &tables::BaseRun::last);
  if (code > 0x10FFFF || run == runs.end() || signed_code < run->first) return code;
  return static_cast<char32_t>(run->base);
}

}  // namespace wisp::text
