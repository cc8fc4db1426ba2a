#include "text/special_tokens.h"

#include <algorithm>

#include "base/log.h"

namespace wisp::text {
namespace {

constexpr std::string_view kBlanks = " \t\n\v\f\r";

std::size_t first_byte(std::string_view text) { return static_cast<unsigned char>(text[0]); }

// Which bytes of a text no token has taken yet.
class Free {
 public:
  explicit Free(std::size_t bytes) : taken_(bytes) {}
  // Tokens are taken longest first, so one that overlaps these bytes has the first or the last of them.
  [[nodiscard]] bool holds(std::size_t start, std::size_t length) const {
    return !taken_[start] && !taken_[start + length - 1];
  }
  void take(SpecialTokens::Match match) {
    for (std::size_t i = 0; i < match.length; ++i) taken_[match.start + i] = true;
  }
  // Moves an end of a match over the free white space beside it.
  void strip_before(std::string_view text, SpecialTokens::Match& match) const {
    while (match.start > 0 && !taken_[match.start - 1] && kBlanks.contains(text[match.start - 1])) {
      --match.start;
      ++match.length;
    }
  }
  void strip_after(std::string_view text, SpecialTokens::Match& match) const {
    for (std::size_t end = match.start + match.length; end < text.size() && !taken_[end] && kBlanks.contains(text[end]);
         ++end) {
      ++match.length;
    }
  }

 private:
  std::vector<bool> taken_;
};

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
    entries_.push_back({text, id, control, std::ranges::binary_search(vocabulary.strip_before, id),
                        std::ranges::binary_search(vocabulary.strip_after, id)});
    lengths_.push_back(text.size());
  }
  std::ranges::sort(lengths_, std::ranges::greater());
  lengths_.erase(std::ranges::unique(lengths_).begin(), lengths_.end());
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

std::vector<SpecialTokens::Match> SpecialTokens::find_all(std::string_view text, bool control,
                                                          std::span<const std::size_t> plain_ends) const {
  std::vector<Match> matches;
  const std::vector<Place> starts = places(text, control, plain_ends);
  if (starts.empty()) return matches;
  Free free(text.size());
  struct Candidate {
    std::size_t start;
    const Entry* entry;
  };
  std::vector<Candidate> candidates;
  for (const std::size_t length : lengths_) {
    candidates.clear();
    for (const Place& place : starts) {
      if (place.longest < length || !free.holds(place.start, length)) continue;
      const Entry* const entry = find(text.substr(place.start, length));
      if (entry == nullptr || (entry->control && length > place.control_bytes)) continue;
      candidates.push_back({place.start, entry});
    }
    std::ranges::sort(candidates, {}, [](const Candidate& c) { return std::pair(c.entry->id, c.start); });
    for (const auto [start, entry] : candidates) {
      if (!free.holds(start, length)) continue;
      Match match = {start, length, entry->id};
      if (entry->strip_before) free.strip_before(text, match);
      if (entry->strip_after) free.strip_after(text, match);
      free.take(match);
      matches.push_back(match);
    }
  }
  std::ranges::sort(matches, {}, &Match::start);
  return matches;
}

std::vector<SpecialTokens::Place> SpecialTokens::places(std::string_view text, bool control,
                                                        std::span<const std::size_t> plain_ends) const {
  std::vector<Place> found;
  if (entries_.empty()) return found;
  auto next_end = plain_ends.begin();
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t byte = first_byte(text.substr(at, 1));
    if (control ? by_first_byte_[byte].second == 0 : !starts_plain_[byte]) continue;
    while (next_end != plain_ends.end() && *next_end <= at) ++next_end;
    const std::size_t control_bytes = !control ? 0 : next_end == plain_ends.end() ? kMaxBytes : *next_end - at - 1;
    if (const Entry* const entry = longest_at(text, at, control_bytes, true)) {
      found.push_back({at, control_bytes, entry->text.size()});
    }
  }
  return found;
}

// Narrows the sorted range of entries that agree with the text one byte at a time. An entry that ends here is the first
// of its range: a prefix sorts before what it is a prefix of.
const SpecialTokens::Entry* SpecialTokens::longest_at(std::string_view text, std::size_t at, std::size_t control_bytes,
                                                      bool plain) const {
  const Entry* longest = nullptr;
  const auto [first, last] = by_first_byte_[first_byte(text.substr(at, 1))];
  auto low = entries_.begin() + first;
  auto high = entries_.begin() + last;
  for (std::size_t depth = 1; low != high; ++depth) {
    if (low->text.size() == depth) {
      if (low->control ? depth <= control_bytes : plain) longest = &*low;
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

const SpecialTokens::Entry* SpecialTokens::find(std::string_view text) const {
  const auto found = std::ranges::lower_bound(entries_, text, {}, &Entry::text);
  return found != entries_.end() && found->text == text ? &*found : nullptr;
}

std::optional<SpecialTokens::Match> SpecialTokens::find_control(std::string_view text, std::size_t from) const {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (by_first_byte_[first_byte(text.substr(at, 1))].second == 0) continue;
    if (const Entry* const entry = longest_at(text, at, kMaxBytes, false)) {
      return Match{at, entry->text.size(), entry->id};
    }
  }
  return std::nullopt;
}

}  // namespace wisp::text
