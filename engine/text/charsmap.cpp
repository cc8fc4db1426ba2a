#include "text/charsmap.h"

#include <algorithm>

namespace wisp::text {
namespace {

constexpr std::uint32_t base_of_entry(std::uint32_t entry) { return (entry >> 10) << ((entry & (1u << 9)) >> 6); }
constexpr std::uint32_t byte_of_entry(std::uint32_t entry) { return entry & ((1u << 31) | 0xFFu); }
constexpr bool ends_key(std::uint32_t entry) { return (entry >> 8 & 1u) != 0; }
constexpr std::uint32_t offset_of_entry(std::uint32_t entry) { return entry & 0x7FFFFFFFu; }

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

Result<Charsmap> Charsmap::read(std::string_view bytes) {
  constexpr std::string_view key = "tokenizer.ggml.precompiled_charsmap";
  Charsmap map;
  if (bytes.empty()) return map;
  if (bytes.size() < 4)
    return fail(Code::invalid_file, "metadata key '{}' has {} bytes, expected more", key, bytes.size());
  const std::size_t array_bytes = little_endian(bytes);
  bytes.remove_prefix(4);
  if (array_bytes >= bytes.size() || array_bytes % 4 != 0) {
    return fail(Code::invalid_file, "metadata key '{}': its array has {} bytes, but {} follow", key, array_bytes,
                bytes.size());
  }
  for (std::size_t at = 0; at < array_bytes; at += 4) map.array_.push_back(little_endian(bytes.substr(at, 4)));
  map.replacements_ = bytes.substr(array_bytes);
  if (map.replacements_.back() != '\0') {
    return fail(Code::invalid_file, "metadata key '{}': the last replacement does not end in a zero byte", key);
  }
  for (std::size_t at = 0; at < map.replacements_.size();) {
    const std::size_t end = map.replacements_.find('\0', at);
    if (end - at > kMaxReplacement) {
      return fail(Code::invalid_file, "metadata key '{}': a replacement has {} bytes; the limit is {}", key, end - at,
                  kMaxReplacement);
    }
    at = end + 1;
  }
  return map;
}

Charsmap::Match Charsmap::longest(std::string_view text) const {
  Match match;
  if (array_.empty()) return match;
  std::size_t node = base_of_entry(array_[0]);
  for (std::size_t at = 0; at < std::min(text.size(), kMaxKey); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    node ^= byte;
    if (byte == 0 || node >= array_.size() || byte_of_entry(array_[node]) != byte) break;
    const bool ends = ends_key(array_[node]);
    node ^= base_of_entry(array_[node]);
    if (!ends) continue;
    if (node >= array_.size()) break;
    const std::size_t offset = offset_of_entry(array_[node]);
    if (offset >= replacements_.size()) break;
    match = {at + 1, replacements_.c_str() + offset};
  }
  return match;
}

}  // namespace wisp::text
