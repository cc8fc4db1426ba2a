#include "text/jinja/word_wrap.h"

#include <algorithm>
#include <span>

#include "text/jinja/letter_case.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

struct Character {
  char32_t code;
  std::string_view bytes;
};
using Characters = std::span<const Character>;

// The blanks that textwrap knows; others, such as the no-break space, are parts of words.
bool is_wrap_blank(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word(char32_t c) { return is_alphanumeric(c) || c == '_'; }
bool is_word_letter(char32_t c) { return is_word(c) && !is_decimal(c); }
bool ends_word(char32_t c) {
  return is_word(c) || std::u32string_view(U"!\"'&.,?").find(c) != std::u32string_view::npos;
}

// Cuts text into what is not cut further: runs of blanks, words, parts of words with hyphens, dashes.
class Chunks {
 public:
  Chunks(Characters text, bool on_hyphens) : text_(text), on_hyphens_(on_hyphens) {}

  std::vector<Characters> cut() const {
    std::vector<Characters> made;
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = chunk_end(at);
      made.push_back(text_.subspan(at, end - at));
      at = end;
    }
    return made;
  }

 private:
  [[nodiscard]] bool is(std::size_t at, bool (*holds)(char32_t)) const {
    return at < text_.size() && holds(text_[at].code);
  }
  [[nodiscard]] bool is_hyphen(std::size_t at) const { return at < text_.size() && text_[at].code == '-'; }
  // Where a dash of two hyphens or more between words ends that begins here; `at` where there is none.
  [[nodiscard]] std::size_t dash_end(std::size_t at) const {
    if (at == 0 || !is(at - 1, ends_word)) return at;
    std::size_t end = at;
    while (is_hyphen(end)) ++end;
    return end - at >= 2 && is(end, is_word) ? end : at;
  }
  // A hyphen that a word may be cut behind: two letters in front (or a letter, a hyphen and a letter), and behind.
  [[nodiscard]] bool parts_word(std::size_t at) const {
    if (!is_hyphen(at) || at < 2) return false;
    const bool letters = is(at - 2, is_word_letter) && is(at - 1, is_word_letter);
    const bool hyphened = at >= 3 && is(at - 3, is_word_letter) && is_hyphen(at - 2) && is(at - 1, ends_word);
    if (!letters && !hyphened) return false;
    return is(at + 1, is_word_letter) && is(at + (is_hyphen(at + 2) ? 3 : 2), is_word_letter);
  }
  [[nodiscard]] std::size_t chunk_end(std::size_t at) const {
    std::size_t end = at;
    while (is(end, is_wrap_blank)) ++end;
    if (end > at) return end;
    if (on_hyphens_ && dash_end(at) > at) return dash_end(at);
    for (end = at + 1; end < text_.size() && !is_wrap_blank(text_[end].code); ++end) {
      if (!on_hyphens_ || !is_hyphen(end)) continue;
      if (parts_word(end)) return end + 1;
      if (dash_end(end) > end) return end;
    }
    return end;
  }

  Characters text_;
  bool on_hyphens_;
};

bool is_blank(Characters chunk) {
  return std::ranges::all_of(chunk, [](const Character& c) { return is_space(c.code); });
}

// How much of a word that fits on no line goes on this one.
std::size_t part_that_fits(Characters word, std::size_t room, bool on_hyphens) {
  if (!on_hyphens || word.size() <= room) return std::min(room, word.size());
  for (std::size_t hyphen = room; hyphen-- > 1;) {
    if (word[hyphen].code != '-') continue;
    const bool dashes = std::ranges::all_of(word.first(hyphen), [](const Character& c) { return c.code == '-'; });
    return dashes ? room : hyphen + 1;
  }
  return room;
}

}  // namespace

Result<std::vector<std::string>> wrap_line(Context& context, std::string_view line, const WrapStyle& style) {
  if (style.width < 1) return fail(Code::invalid_argument, "invalid width {} (must be > 0)", style.width);
  const auto width = static_cast<std::uint64_t>(style.width);
  WISP_CHECK(context.spend(line.size()));  // each character is looked at alone
  std::vector<Character> text;
  for (std::string_view rest = line; !rest.empty(); rest.remove_prefix(character_bytes(rest))) {
    const std::string_view bytes = rest.substr(0, character_bytes(rest));
    text.push_back({code_point(bytes), bytes});
  }
  std::vector<Characters> chunks = Chunks(text, style.break_on_hyphens).cut();
  std::vector<std::string> lines;
  for (std::size_t next = 0; next < chunks.size();) {
    if (is_blank(chunks[next]) && !lines.empty()) {
      ++next;
      if (next == chunks.size()) break;
    }
    std::vector<Characters> on_line;
    std::uint64_t size = 0;
    while (next < chunks.size() && size + chunks[next].size() <= width) {
      size += chunks[next].size();
      on_line.push_back(chunks[next++]);
    }
    if (next < chunks.size() && chunks[next].size() > width) {
      if (style.break_long_words) {
        const auto room = static_cast<std::size_t>(width - size);
        const std::size_t n = part_that_fits(chunks[next], room, style.break_on_hyphens);
        on_line.push_back(chunks[next].first(n));
        chunks[next] = chunks[next].subspan(n);
      } else if (on_line.empty()) {
        on_line.push_back(chunks[next++]);
      }
    }
    if (!on_line.empty() && is_blank(on_line.back())) on_line.pop_back();
    if (on_line.empty()) continue;
    WISP_CHECK(context.spend(1 + on_line.size()));
    std::string made;
    for (const Characters chunk : on_line) {
      for (const Character& c : chunk) made += c.bytes;
    }
    lines.push_back(std::move(made));
  }
  return lines;
}

}  // namespace wisp::text::jinja
