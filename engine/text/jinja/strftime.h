// Dates as C's strftime writes them in the C locale, from and to seconds since 1970 in UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wisp::text {

std::string format_time(std::string_view format, std::int64_t unix_seconds);

// 2025-07-26, 2025-07-26T12:00 or 2025-07-26T12:00:00, with or without a Z or +00:00; a blank may stand for the T.
// Parts of a second are dropped.
Result<std::int64_t> parse_iso_time(std::string_view text);

}  // namespace wisp::text
