#include "text/jinja/strftime.h"

#include <algorithm>
#include <array>

namespace wisp::text {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kDaysPer400Years = 146'097;

// The proleptic Gregorian calendar, counted in years that start in March so that the leap day comes last.
struct Date {
  std::int64_t year;
  int month;  // from 1
  int day;    // from 1
};

std::int64_t days_of(Date date) {
  const std::int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t march_month = (date.month + 9) % 12;  // 0 is March
  const std::int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  constexpr std::int64_t kMarchOfYear0 = -719'468;  // 0000-03-01, in days from 1970-01-01
  return era * kDaysPer400Years + day_of_era + kMarchOfYear0;
}

Date date_of(std::int64_t days) {
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - kDaysPer400Years + 1) / kDaysPer400Years;
  const std::int64_t day_of_era = shifted - era * kDaysPer400Years;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1);
  const int month = static_cast<int>(march_month < 10 ? march_month + 3 : march_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

}  // namespace

std::string format_time(std::string_view format, std::int64_t unix_seconds) {
  std::int64_t days = unix_seconds / kSecondsPerDay;
  std::int64_t seconds = unix_seconds % kSecondsPerDay;
  if (seconds < 0) {
    seconds += kSecondsPerDay;
    --days;
  }
  const Date date = date_of(days);
  const std::int64_t hour = seconds / 3600;
  const std::int64_t hour12 = hour % 12 == 0 ? 12 : hour % 12;
  const std::int64_t weekday = ((days % 7) + 7 + 4) % 7;  // 1970-01-01 was a Thursday
  const std::int64_t day_of_year = days - days_of({date.year, 1, 1}) + 1;
  const std::string_view month_name = kMonths[static_cast<std::size_t>(date.month - 1)];
  const std::string_view day_name = kDays[static_cast<std::size_t>(weekday)];

  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out.push_back(format[i]);
      continue;
    }
    const bool bare = format[i + 1] == '-' && i + 2 < format.size();  // glibc's %-d: no leading zeros
    if (bare) ++i;
    const auto number = [&](std::int64_t value, int digits) { out += fmt::format("{:0{}}", value, bare ? 0 : digits); };
    switch (const char code = format[++i]) {
      case 'Y': out += fmt::format("{}", date.year); break;
      case 'y': number(((date.year % 100) + 100) % 100, 2); break;
      case 'm': number(date.month, 2); break;
      case 'd': number(date.day, 2); break;
      case 'e': out += fmt::format("{:{}}", date.day, bare ? 0 : 2); break;
      case 'H': number(hour, 2); break;
      case 'I': number(hour12, 2); break;
      case 'M': number(seconds / 60 % 60, 2); break;
      case 'S': number(seconds % 60, 2); break;
      case 'j': number(day_of_year, 3); break;
      case 'f': out += "000000"; break;
      case 'B': out += month_name; break;
      case 'b':
      case 'h': out += month_name.substr(0, 3); break;
      case 'A': out += day_name; break;
      case 'a': out += day_name.substr(0, 3); break;
      case 'p': out += hour < 12 ? "AM" : "PM"; break;
      case 'w': out += fmt::format("{}", weekday); break;
      case 'u': out += fmt::format("{}", weekday == 0 ? 7 : weekday); break;
      case 's': out += fmt::format("{}", unix_seconds); break;
      case 'F': out += format_time("%Y-%m-%d", unix_seconds); break;
      case 'D':
      case 'x': out += format_time("%m/%d/%y", unix_seconds); break;
      case 'T':
      case 'X': out += format_time("%H:%M:%S", unix_seconds); break;
      case 'R': out += format_time("%H:%M", unix_seconds); break;
      case 'c': out += format_time("%a %b %e %H:%M:%S %Y", unix_seconds); break;
      case 'z':
      case 'Z': break;  // Python's naive times have no zone to name
      case 'n': out.push_back('\n'); break;
      case 't': out.push_back('\t'); break;
      case '%': out.push_back('%'); break;
      default: out.push_back('%'); out.push_back(code);
    }
  }
  return out;
}

Result<std::int64_t> parse_iso_time(std::string_view text) {
  const std::string_view whole = text;
  const auto refuse = [&] {
    return fail(Code::invalid_argument, "'{}' is not a time such as 2025-07-26 or 2025-07-26T12:00:00Z",
                printable(whole));
  };
  const auto take = [&](std::size_t digits) -> int {  // -1: not there
    if (text.size() < digits) return -1;
    int value = 0;
    for (const char c : text.substr(0, digits)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return value;
  };
  const auto skip = [&](char c) {
    const bool there = text.starts_with(c);
    if (there) text.remove_prefix(1);
    return there;
  };
  const int year = take(4);
  const bool dash1 = skip('-');
  const int month = take(2);
  const bool dash2 = skip('-');
  const int day = take(2);
  if (year < 0 || !dash1 || month < 1 || month > 12 || !dash2 || day < 1) return refuse();
  const std::int64_t days = days_of({year, month, day});
  if (date_of(days).month != month || day > 31) return refuse();
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (skip('T') || skip(' ')) {
    hour = take(2);
    minute = skip(':') ? take(2) : -1;
    if (skip(':')) second = take(2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return refuse();
    if (skip('.')) {  // parts of a second are read and dropped
      const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
      if (digits == 0) return refuse();
      text.remove_prefix(digits);
    }
  }
  if (!skip('Z') && text == "+00:00") text = {};
  if (!text.empty()) return refuse();
  return days * kSecondsPerDay + hour * 3600 + minute * 60 + second;
}

}  // namespace wisp::text
