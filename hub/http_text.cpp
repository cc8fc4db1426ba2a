// The parts of http.h that are about text: they need no library, and are tested with hostile headers.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>

#include "hub/http.h"

namespace wisp::hub {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);
  return text;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A whole number at the start of `text`, which it takes away.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

void read_number(const char* variable, std::uint64_t most, const std::function<void(std::uint64_t)>& use) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return;
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest.empty() && *number <= most) use(*number);
}

}  // namespace

Patience Patience::from_environment() {
  Patience patience;
  constexpr std::uint64_t kDay = 86'400'000;
  read_number("WISP_PULL_STALL_MS", kDay, [&](std::uint64_t ms) { patience.stall = std::chrono::milliseconds(ms); });
  read_number("WISP_PULL_PAUSE_MS", kDay, [&](std::uint64_t ms) { patience.pause = std::chrono::milliseconds(ms); });
  read_number("WISP_PULL_RETRIES", 1000, [&](std::uint64_t n) { patience.retries = static_cast<int>(n); });
  return patience;
}

std::chrono::milliseconds Patience::before_retry(int failures) const {
  return pause * (1 << std::clamp(failures - 1, 0, 6));
}

std::optional<std::string> header_value(std::string_view line, std::string_view name) {
  const std::size_t colon = line.find(':');
  if (colon != name.size()) return std::nullopt;
  const bool same = std::ranges::equal(line.substr(0, colon), name, {}, lower, lower);
  return same ? std::optional<std::string>(trimmed(line.substr(colon + 1))) : std::nullopt;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto first = take_number(text);
  if (!first || !take(text, '-')) return std::nullopt;
  const auto last = take_number(text);
  if (!last || !take(text, '/')) return std::nullopt;
  const auto total = take_number(text);
  if (!total || !text.empty() || *first > *last || *last >= *total) return std::nullopt;
  return ContentRange{.first = *first, .last = *last, .total = *total};
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text) {
  text = trimmed(text);
  std::string_view rest = text;
  if (const auto seconds = take_number(rest); seconds && rest.empty()) {
    return std::chrono::seconds(std::min<std::uint64_t>(*seconds, 1'000'000));
  }
  std::tm time = {};
  if (strptime(std::string(text).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) return std::nullopt;
  const std::int64_t wait = static_cast<std::int64_t>(timegm(&time)) - static_cast<std::int64_t>(std::time(nullptr));
  return std::chrono::seconds(std::clamp<std::int64_t>(wait, 0, 1'000'000));
}

bool is_passing_status(long status) {
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

Error describe_status(long status, const std::string& shown, bool has_token) {
  const std::string place = printable(shown, 400);
  switch (status) {
    case 401:
      return {Code::not_found,
              has_token ? fmt::format("{}: the server does not accept the token (401); look at HF_TOKEN", place)
                        : fmt::format("{}: this is private, gated or not there (401); a token in HF_TOKEN may open it",
                                      place)};
    case 403:
      return {Code::not_found,
              fmt::format("{}: access is refused (403); {}", place,
                          has_token ? "the token's owner may have to accept the model's conditions on its page"
                                    : "a token in HF_TOKEN may open it")};
    case 404:
    case 410: return {Code::not_found, fmt::format("{}: there is no such thing ({}); look at the name", place, status)};
    case 429: return {Code::io, fmt::format("{}: too many requests (429); try again later", place)};
    default:
      return {Code::io, fmt::format("{}: the server answers with status {}{}", place, status,
                                    status >= 500 ? "; try again later" : "")};
  }
}

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

}  // namespace wisp::hub
