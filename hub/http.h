// HTTP by libcurl, as fetching models needs it: http and https only, certificates checked, few redirects, a token for
// one host, retries with growing pauses.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wisp::hub {

// How patient a transfer is. The environment variables WISP_PULL_STALL_MS, WISP_PULL_PAUSE_MS and WISP_PULL_RETRIES
// change these for tests.
struct Patience {
  std::chrono::milliseconds stall{30'000};  // without a byte; then the connection is given up
  std::chrono::milliseconds pause{500};     // before the first retry; doubles each time
  std::chrono::milliseconds most_wait{
      120'000};     // a server that asks for more (Retry-After) is told to the user instead
  int retries = 5;  // in a row, without a byte of progress
  static Patience from_environment();
  // Before retry number `failures` (1, 2, ...).
  [[nodiscard]] std::chrono::milliseconds before_retry(int failures) const;
};

// What one request carries beside its address.
struct Access {
  std::string token;  // sent to the host of the first address only, never to where it redirects; "" for none
};

// A line of a header: the value where `line` is `name: value`, the name in any case.
std::optional<std::string> header_value(std::string_view line, std::string_view name);
// "bytes 10-19/400" as {10, 19, 400}.
struct ContentRange {
  std::uint64_t first = 0, last = 0, total = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view text);
// Seconds, or a date, as a time from now on.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text);
// Whether asking again may help.
bool is_passing_status(long status);
// A sentence for a status that ends the work; `shown` is the address without its query.
Error describe_status(long status, const std::string& shown, bool has_token);
// `text` for one part of a path: everything but letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

struct Answer {
  std::string body;
  std::string next;    // of a Link header with rel="next"; "" for none
  std::string commit;  // of X-Repo-Commit
};

// A small document, of at most 32 MiB. `keep_going` false: Code::cancelled.
Result<Answer> get_document(const std::string& url, const Access& access, const Patience& patience,
                            const std::function<bool()>& keep_going);

}  // namespace wisp::hub
