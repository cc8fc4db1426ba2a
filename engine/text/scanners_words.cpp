// Words as GPT-2, Llama 3 and DeepSeek V3 have them.
#include <algorithm>

#include "text/character_class.h"
#include "text/scanners.h"

namespace wisp::text {
namespace {

enum class Behind : std::uint8_t { breaks, one_break_or_slash, nothing };  // [\r\n]* , [\r\n/]? , or none

// What sets the relatives of Llama 3 apart.
struct Words {
  bool contractions = true;
  Classes word = kLetter;
  std::size_t digits = 3;  // in one word, at most
  Behind punctuation = Behind::breaks;
};

std::size_t end_of_punctuation(std::string_view text, std::size_t end, Behind behind) {
  switch (behind) {
    case Behind::breaks:
      while (end < text.size() && is_break(text[end])) ++end;
      return end;
    case Behind::one_break_or_slash:
      return end < text.size() && (is_break(text[end]) || text[end] == '/') ? end + 1 : end;
    case Behind::nothing: break;
  }
  return end;
}

// What the relatives have in common before white space; `at` where nothing matches.
template <Words kWords>
std::size_t scan_words(std::string_view text, std::size_t at) {
  if constexpr (kWords.contractions) {
    if (const std::size_t end = contraction(text, at, true); end != at) return end;
  }
  const Character first = character_at(text, at);
  if ((first.kind & kWords.word) != 0) return run_of(text, at + first.length, kWords.word);
  if (first.kind == kNumber) return run_of(text, at + first.length, kNumber, kWords.digits - 1);
  if (!is_break(text[at])) {
    const std::size_t start = at + first.length;
    if (const std::size_t end = run_of(text, start, kWords.word); end != start) return end;
  }
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  const std::size_t end = run_of(text, start, kNotWord & ~kWords.word);
  return end == start ? at : end_of_punctuation(text, end, kWords.punctuation);
}

template <Words kWords>
std::size_t scan_with_breaks(std::string_view text, std::size_t at) {
  const std::size_t end = scan_words<kWords>(text, at);
  return end != at ? end : breaks_or_spaces(text, at);
}

// \s{512}(?!\S)|...|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1} over white space that is `run` characters long, or longer where
// `run` is 513; `at_end`: the text ends behind it.
std::size_t jais2_spaces(std::size_t run, bool at_end) {
  const auto fits = [&](std::size_t n) { return run > n || (run == n && at_end); };
  for (std::size_t n = 512; n >= 4; n /= 2) {
    if (fits(n)) return n;
  }
  return fits(2) ? 2 : 1;
}

// (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+
std::size_t words_with_spaces(std::string_view text, std::size_t at) {
  while (true) {
    const std::size_t letter = at < text.size() && text[at] == ' ' ? at + 1 : at;
    const std::size_t end = run_of(text, letter, kLetter, 1);
    if (end == letter) return at;
    at = run_of(text, end, kMark);
  }
}

}  // namespace

std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
  if (at >= text.size() || text[at] != '\'') return at;
  const auto letter = [&](std::size_t i) {
    const char c = at + i < text.size() ? text[at + i] : '\0';
    return any_case && is_upper_ascii(c) ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd': return at + 2;
    case 'r':
    case 'v': return letter(2) == 'e' ? at + 3 : at;
    case 'l': return letter(2) == 'l' ? at + 3 : at;
    default: return at;
  }
}

std::size_t spaces(std::string_view text, std::size_t at) {
  std::size_t last = at;  // start of the run's last character
  std::size_t end = at;
  for (Character c = character_at(text, at); (c.kind & kSpace) != 0; c = character_at(text, end)) {
    last = end;
    end += c.length;
  }
  return end == text.size() || last == at ? end : last;
}

std::size_t breaks_or_spaces(std::string_view text, std::size_t at) {
  std::size_t after_break = at;
  for (std::size_t end = at; end < text.size();) {
    const Character c = character_at(text, end);
    if (c.kind != kSpace) break;
    end += c.length;
    if (is_break(text[end - 1])) after_break = end;
  }
  return after_break != at ? after_break : spaces(text, at);
}

std::size_t scan_gpt2(std::string_view text, std::size_t at) {
  if (const std::size_t end = contraction(text, at, false); end != at) return end;
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  for (const Classes classes : {Classes{kLetter}, Classes{kNumber}, kNotWord}) {
    if (const std::size_t end = run_of(text, start, classes); end != start) return end;
  }
  return spaces(text, at);
}

std::size_t scan_llama3(std::string_view text, std::size_t at) { return scan_with_breaks<Words{}>(text, at); }

std::size_t scan_qwen2(std::string_view text, std::size_t at) { return scan_with_breaks<Words{.digits = 1}>(text, at); }

std::size_t scan_qwen35(std::string_view text, std::size_t at) {
  return scan_with_breaks<Words{.word = kLetter | kMark, .digits = 1}>(text, at);
}

std::size_t scan_seed_coder(std::string_view text, std::size_t at) {
  return scan_with_breaks<Words{.digits = 1, .punctuation = Behind::nothing}>(text, at);
}

std::size_t scan_ufakzeka(std::string_view text, std::size_t at) {
  return scan_with_breaks<Words{.contractions = false, .digits = 1}>(text, at);
}

std::size_t scan_minicpm5(std::string_view text, std::size_t at) {
  return scan_with_breaks<Words{.digits = SIZE_MAX}>(text, at);
}

std::size_t scan_jais2(std::string_view text, std::size_t at) {
  if (const std::size_t end = scan_words<Words{}>(text, at); end != at) return end;
  // Behind white space that is no break a break would be matched already: so that a long run is read once.
  if (at == 0 || is_break(text[at - 1]) || character_before(text, at).kind != kSpace) {
    if (const std::size_t end = breaks_or_spaces(text, at); end != at && is_break(text[end - 1])) return end;
  }
  std::size_t run = 0;
  std::size_t end = at;
  for (; run <= 512; ++run) {
    const Character c = character_at(text, end);
    if (c.kind != kSpace) break;
    end += c.length;
  }
  return run == 0 ? at : run_of(text, at, kSpace, jais2_spaces(run, end == text.size()));
}

std::size_t scan_exaone_moe(std::string_view text, std::size_t at) {
  if (const std::size_t end = contraction(text, at, true); end != at) return end;
  const Character first = character_at(text, at);
  const bool leads = (first.kind & (kLetter | kNumber)) == 0 && !is_break(text[at]);
  const std::size_t start = leads ? at + first.length : at;
  if (run_of(text, start, kLetter, 1) != start) return words_with_spaces(text, start);
  return scan_with_breaks<Words{.digits = 1, .punctuation = Behind::one_break_or_slash}>(text, at);
}

namespace {

// The first three alternatives of DeepSeek V3's expression; `at` where none matches.
std::size_t deepseek3_word(std::string_view text, std::size_t at, Behind behind) {
  const Character first = character_at(text, at);
  const bool mark = (first.kind & (kPunctuation | kSymbol)) != 0;
  if (mark && first.length == 1) {
    const std::size_t start = at + 1;
    std::size_t end = start;
    while (end < text.size() && is_letter_ascii(text[end])) ++end;
    if (end != start) return end;
  }
  constexpr Classes word = kLetter | kMark;
  const bool leads = !mark && first.kind != kLetter && !is_break(text[at]);
  for (const std::size_t start : {leads ? at + first.length : at, at}) {
    if (const std::size_t end = run_of(text, start, word); end != start) return end;
  }
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  const std::size_t end = run_of(text, start, kPunctuation | kSymbol);
  return end == start ? at : end_of_punctuation(text, end, behind);
}

}  // namespace

std::size_t scan_deepseek3(std::string_view text, std::size_t at) {
  const std::size_t end = deepseek3_word(text, at, Behind::breaks);
  return end != at ? end : breaks_or_spaces(text, at);
}

std::size_t scan_spark(std::string_view text, std::size_t at) {
  const std::size_t end = deepseek3_word(text, at, Behind::nothing);
  if (end != at) return end;
  return is_break(text[at]) ? at + 1 : spaces(text, at);
}

}  // namespace wisp::text
