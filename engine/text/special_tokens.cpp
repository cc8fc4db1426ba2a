#include "text/special_tokens.h"

#include <algorithm>

#include "base/log.h"

namespace wisp::text {
namespace {

std::size_t first_byte(std::string_view text) { return static_cast<unsigned char>(text[0]); }

}  // namespace

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenKind kind = vocabulary.kinds[static_cast<std::size_t>(id)];
    const bool control = kind == TokenKind::control || kind == TokenKind::unknown;
    if (!control && kind != TokenKind::user_defined) continue;
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (text.empty()) continue;
    if (text.size() > kMaxBytes) {
      log_warning("token {} is special and {} bytes long; texts over {} bytes are not looked for", id, text.size(),
                  kMaxBytes);
      continue;
    }
    entries_.push_back({text, id, control});
  }
  // Of equal texts one that needs no permission goes first, then the lowest id; the others are dropped.
  std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
    if (a.text != b.text) return a.text < b.text;
    return a.control != b.control ? b.control : a.id < b.id;
  });
  entries_.erase(std::ranges::unique(entries_, {}, &Entry::text).begin(), entries_.end());
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const std::size_t byte = first_byte(entries_[i].text);
    if (by_first_byte_[byte].second == 0) by_first_byte_[byte].first = i;
    by_first_byte_[byte].second = i + 1;
    if (!entries_[i].control) starts_plain_[byte] = true;
  }
}

std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, std::size_t from, bool control,
                                                        std::span<const std::size_t> plain_ends) const {
  if (entries_.empty()) return std::nullopt;
  auto next_end = std::ranges::upper_bound(plain_ends, from);
  for (std::size_t at = from; at < text.size(); ++at) {
    const std::size_t byte = first_byte(text.substr(at, 1));
    if (control ? by_first_byte_[byte].second == 0 : !starts_plain_[byte]) continue;
    while (next_end != plain_ends.end() && *next_end <= at) ++next_end;
    const std::size_t control_bytes = !control ? 0 : next_end == plain_ends.end() ? kMaxBytes : *next_end - at - 1;
    if (const std::optional<Match> match = longest_at(text, at, control_bytes)) return match;
  }
  return std::nullopt;
}

// Narrows the sorted range of entries that agree with the text one byte at a time. An entry that ends here is the first
// of its range: a prefix sorts before what it is a prefix of.
std::optional<SpecialTokens::Match> SpecialTokens::longest_at(std::string_view text, std::size_t at,
                                                              std::size_t control_bytes) const {
  std::optional<Match> longest;
  const auto [first, last] = by_first_byte_[first_byte(text.substr(at, 1))];
  auto low = entries_.begin() + first;
  auto high = entries_.begin() + last;
  for (std::size_t depth = 1; low != high; ++depth) {
    if (low->text.size() == depth) {
      if (!low->control || depth <= control_bytes) longest = Match{at, depth, low->id};
      ++low;
    }
    if (at + depth >= text.size()) break;
    const auto byte_at_depth = [depth](const Entry& entry) { return static_cast<unsigned char>(entry.text[depth]); };
    const auto next =
        std::ranges::equal_range(low, high, static_cast<unsigned char>(text[at + depth]), {}, byte_at_depth);
    low = next.begin();
    high = next.end();
  }
  return longest;
}

}  // namespace wisp::text
