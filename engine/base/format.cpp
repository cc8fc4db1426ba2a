#include "base/format.h"

#include <array>

namespace wisp {

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

namespace {

// Length of the well-formed UTF-8 sequence at the front of `text`, or 0. (Unicode 15, table 3-7.)
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const unsigned second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 0;  // overlong, surrogate
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;  // overlong, past U+10FFFF
  return length;
}

}  // namespace

std::string printable(std::string_view untrusted, std::size_t max_bytes) {
  std::string out;
  while (!untrusted.empty()) {
    if (out.size() >= max_bytes) {
      out += "...";
      break;
    }
    const std::size_t length = utf8_length(untrusted);
    const unsigned char first = static_cast<unsigned char>(untrusted[0]);
    if (length == 0 || first < 0x20 || first == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", first);
      untrusted.remove_prefix(1);
    } else {
      out.append(untrusted.substr(0, length));
      untrusted.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace wisp
