// Words as GPT-4o has them: a word may start with capitals, but a capital behind small letters starts the next one.
#include <array>

#include "text/character_class.h"
#include "text/scanners.h"

namespace wisp::text {
namespace {

struct Cased {
  Classes word = kLetter;
  bool by_case = true;
  bool contractions = true;
  std::size_t digits = 3;  // in one word, at most
};

// U*V+ where U is any of `word` but a-z, and V any but A-Z: what is not ASCII is both. `at` where it does not match.
std::size_t capitals_then_small(std::string_view text, std::size_t at, Classes word) {
  std::size_t end = at;
  std::size_t behind_both = at;  // behind the last character that U may leave to V
  for (Character c = character_at(text, end); (c.kind & word) != 0 && !is_lower_ascii(text[end]);
       c = character_at(text, end)) {
    end += c.length;
    if (c.length > 1) behind_both = end;
  }
  if (end >= text.size() || !is_lower_ascii(text[end])) return behind_both;
  for (Character c = character_at(text, end); (c.kind & word) != 0 && !is_upper_ascii(text[end]);
       c = character_at(text, end)) {
    end += c.length;
  }
  return end;
}

// U+V* where U*V+ does not match: V* has nothing left to take.
std::size_t capitals(std::string_view text, std::size_t at, Classes word) {
  std::size_t end = at;
  for (Character c = character_at(text, end); (c.kind & word) != 0 && !is_lower_ascii(text[end]);
       c = character_at(text, end)) {
    end += c.length;
  }
  return end;
}

// The word that starts at `at`, with a character before it that is in no word and no number; `at` where there is none.
template <Cased kCased>
std::size_t word_at(std::string_view text, std::size_t at) {
  const Character first = character_at(text, at);
  const bool leads = (first.kind & (kLetter | kNumber)) == 0 && !is_break(text[at]);
  const std::array<std::size_t, 2> starts = {leads ? at + first.length : at, at};
  if constexpr (!kCased.by_case) {
    for (const std::size_t start : starts) {
      if (const std::size_t end = run_of(text, start, kCased.word); end != start) return end;
    }
    return at;
  }
  for (const auto alternative : {capitals_then_small, capitals}) {
    for (const std::size_t start : starts) {
      if (const std::size_t end = alternative(text, start, kCased.word); end != start) return end;
    }
  }
  return at;
}

template <Cased kCased>
std::size_t scan_cased(std::string_view text, std::size_t at) {
  if (const std::size_t end = word_at<kCased>(text, at); end != at) {
    return kCased.contractions ? contraction(text, end, true) : end;
  }
  const Character first = character_at(text, at);
  if (first.kind == kNumber) return run_of(text, at + first.length, kNumber, kCased.digits - 1);
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  if (std::size_t end = run_of(text, start, kNotWord); end != start) {
    while (end < text.size() && (is_break(text[end]) || text[end] == '/')) ++end;
    return end;
  }
  return breaks_or_spaces(text, at);
}

constexpr CodeRange kHanRanges[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                    {0x20000, 0x2A6DF}, {0x2A700, 0x2EBEF}, {0x2F800, 0x2FA1F}};
constexpr CodeSet kHan(kHanRanges);

// Letters outside of Han.
std::size_t run_of_letters(std::string_view text, std::size_t at) {
  while (true) {
    const Character c = character_at(text, at);
    if (c.kind != kLetter || (c.length > 1 && kHan.contains(decode_utf8(text, at).code))) return at;
    at += c.length;
  }
}

}  // namespace

std::size_t scan_gpt4o(std::string_view text, std::size_t at) { return scan_cased<Cased{}>(text, at); }

std::size_t scan_tekken(std::string_view text, std::size_t at) {
  return scan_cased<Cased{.contractions = false, .digits = 1}>(text, at);
}

std::size_t scan_granite_embedding(std::string_view text, std::size_t at) {
  return scan_cased<Cased{.word = kLetter | kMark}>(text, at);
}

std::size_t scan_tiny_aya(std::string_view text, std::size_t at) {
  return scan_cased<Cased{.word = kLetter | kMark, .by_case = false}>(text, at);
}

std::size_t scan_youtu(std::string_view text, std::size_t at) {
  return scan_cased<Cased{.word = kLetter | kMark, .by_case = false, .digits = 1}>(text, at);
}

std::size_t scan_kimi_k2(std::string_view text, std::size_t at) {
  if (const std::size_t end = run_inside(text, at, kHan); end != at) return end;
  const Character first = character_at(text, at);
  if (first.kind == kNumber) return run_of(text, at + first.length, kNumber, 2);
  const bool leads = first.kind != kLetter && !is_break(text[at]);
  const std::size_t word = leads ? at + first.length : at;
  if (const std::size_t end = run_of_letters(text, word); end != word) return contraction(text, end, true);
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  if (std::size_t end = run_of(text, start, kNotWord); end != start) {
    while (end < text.size() && is_break(text[end])) ++end;
    return end;
  }
  return breaks_or_spaces(text, at);
}

}  // namespace wisp::text
