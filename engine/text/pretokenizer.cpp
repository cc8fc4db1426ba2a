#include "text/pretokenizer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace wisp::text {
namespace {

// Character classes, one bit each, so that a set of them is a mask. Every character has exactly one.
enum Class : std::uint8_t {
  kLetter = 1,       // \p{L}
  kNumber = 2,       // \p{N}
  kSpace = 4,        // \s
  kPunctuation = 8,  // \p{P}
  kOther = 16,       // the rest: marks, symbols, controls, unassigned
};
constexpr std::uint8_t kNotWord = kPunctuation | kOther;  // [^\s\p{L}\p{N}]

std::uint8_t classify(char32_t code) {
  if (is_space(code)) return kSpace;
  const Category kind = category(code);
  if (kind <= Category::Lo) return kLetter;
  if (kind >= Category::Nd && kind <= Category::No) return kNumber;
  if (kind >= Category::Pc && kind <= Category::Po) return kPunctuation;
  return kOther;
}

constexpr std::uint8_t classify_ascii(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return kLetter;
  if (c >= '0' && c <= '9') return kNumber;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return kSpace;
  constexpr std::string_view symbols = "$+<=>^`|~";
  return c > ' ' && c < 0x7F && symbols.find(c) == std::string_view::npos ? kPunctuation : kOther;
}

constexpr std::array<std::uint8_t, 128> kAscii = [] {
  std::array<std::uint8_t, 128> classes{};
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = classify_ascii(static_cast<char>(i));
  return classes;
}();

struct Character {
  std::uint8_t kind;  // 0 at the end of the text: in no class
  std::uint32_t length;
};

Character character_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {0, 0};
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {kAscii[byte], 1};
  const Utf8Char decoded = decode_utf8(text, at);
  return {classify(decoded.code), decoded.length};
}

// The end of the run of at most `max` characters of these classes.
std::size_t run_of(std::string_view text, std::size_t at, std::uint8_t classes, std::size_t max = SIZE_MAX) {
  for (; max > 0; --max) {
    const Character character = character_at(text, at);
    if ((character.kind & classes) == 0) break;
    at += character.length;
  }
  return at;
}

bool is_break(char c) { return c == '\r' || c == '\n'; }

// 's|'t|'re|'ve|'m|'ll|'d
std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
  if (text[at] != '\'') return at;
  const auto letter = [&](std::size_t i) {
    const char c = at + i < text.size() ? text[at + i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
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

// \s+(?!\S)|\s+ : white space, leaving its last character to the word behind it where there is more than one.
std::size_t spaces(std::string_view text, std::size_t at) {
  std::size_t last = at;  // start of the run's last character
  std::size_t end = at;
  for (Character c = character_at(text, at); (c.kind & kSpace) != 0; c = character_at(text, end)) {
    last = end;
    end += c.length;
  }
  return end == text.size() || last == at ? end : last;
}

// GPT-2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t scan_gpt2(std::string_view text, std::size_t at) {
  if (const std::size_t end = contraction(text, at, false); end != at) return end;
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  for (const std::uint8_t classes : {std::uint8_t{kLetter}, std::uint8_t{kNumber}, kNotWord}) {
    if (const std::size_t end = run_of(text, start, classes); end != start) return end;
  }
  return spaces(text, at);
}

// Llama 3 (kDigits = 3) and Qwen 2 (1):
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,kDigits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
// \s+(?!\S)|\s+
template <std::size_t kDigits>
std::size_t scan_tiktoken(std::string_view text, std::size_t at) {
  if (const std::size_t end = contraction(text, at, true); end != at) return end;
  const Character first = character_at(text, at);
  if (first.kind == kLetter) return run_of(text, at + first.length, kLetter);
  if (first.kind == kNumber) return run_of(text, at + first.length, kNumber, kDigits - 1);
  if (!is_break(text[at])) {
    const std::size_t start = at + first.length;
    if (const std::size_t end = run_of(text, start, kLetter); end != start) return end;
  }
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  if (std::size_t end = run_of(text, start, kNotWord); end != start) {
    while (end < text.size() && is_break(text[end])) ++end;
    return end;
  }
  // White space up to the last line break in it, if there is one.
  std::size_t after_break = at;
  for (std::size_t end = at; end < text.size();) {
    const Character c = character_at(text, end);
    if (c.kind != kSpace) break;
    end += c.length;
    if (is_break(text[end - 1])) after_break = end;
  }
  return after_break != at ? after_break : spaces(text, at);
}

// \p{N}
std::size_t scan_number(std::string_view text, std::size_t at) { return run_of(text, at, kNumber, 1); }
// \p{N}+
std::size_t scan_numbers(std::string_view text, std::size_t at) { return run_of(text, at, kNumber); }
// [0-9][0-9][0-9]
std::size_t scan_three_digits(std::string_view text, std::size_t at) {
  for (std::size_t i = at; i < at + 3; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return at;
  }
  return at + 3;
}
// [\r\n]
std::size_t scan_break(std::string_view text, std::size_t at) { return is_break(text[at]) ? at + 1 : at; }

// \s?X+
template <std::uint8_t kClasses>
std::size_t scan_space_and(std::string_view text, std::size_t at) {
  const std::size_t start = run_of(text, at, kSpace, 1);
  const std::size_t end = run_of(text, start, kClasses);
  return end != start ? end : at;
}

// [\p{P}$+<=>^~|]+ ; Falcon's own also has the backtick.
template <bool kBacktick>
std::size_t scan_punctuation(std::string_view text, std::size_t at) {
  constexpr std::string_view symbols = kBacktick ? "$+<=>^~|`" : "$+<=>^~|";
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (c.kind != kPunctuation && symbols.find(text[at]) == std::string_view::npos) break;
    at += c.length;
  }
  return at;
}

// [U+0800-U+4E00 U+4E00-U+9FA5 U+AC00-U+D7FF]+
std::size_t scan_east_asian(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!((c.code >= 0x800 && c.code <= 0x9FA5) || (c.code >= 0xAC00 && c.code <= 0xD7FF))) break;
    at += c.length;
  }
  return at;
}

constexpr Scanner kGpt2[] = {scan_gpt2};
constexpr Scanner kLlama3[] = {scan_tiktoken<3>};
constexpr Scanner kQwen2[] = {scan_tiktoken<1>};
constexpr Scanner kStarcoder[] = {scan_number, scan_gpt2};
constexpr Scanner kFalcon[] = {scan_punctuation<true>, scan_gpt2, scan_three_digits};
constexpr Scanner kDefault[] = {scan_punctuation<false>, scan_gpt2, scan_numbers, scan_three_digits};
constexpr Scanner kDeepseekCoder[] = {scan_break, scan_space_and<kLetter>, scan_space_and<kPunctuation>,
                                      scan_east_asian, scan_number};

constexpr PretokenizerScheme kSchemes[] = {
    {"default", kDefault},
    {"gpt-2", kGpt2},
    {"llama-bpe", kLlama3, true, true},
    {"llama3", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},
    {"falcon3", kLlama3, true, true},
    {"falcon-h1", kLlama3, true, true},
    {"pixtral", kLlama3, true, true},
    {"smaug-bpe", kLlama3},
    {"dbrx", kLlama3},
    {"qwen2", kQwen2},
    {"deepseek-r1-qwen", kQwen2},
    {"stablelm2", kQwen2},
    {"deepseek-coder", kDeepseekCoder},
    {"falcon", kFalcon},
    {"mpt", kGpt2},
    {"olmo", kGpt2},
    {"phi-2", kGpt2},
    {"starcoder", kStarcoder},
    {"refact", kStarcoder},
    {"command-r", kStarcoder},
    {"smollm", kStarcoder},
    {"codeshell", kStarcoder},
};

}  // namespace

const PretokenizerScheme* find_pretokenizer(std::string_view name) {
  const auto* const found = std::ranges::find(kSchemes, name.empty() ? "default" : name, &PretokenizerScheme::name);
  return found != std::end(kSchemes) ? found : nullptr;
}

std::string known_pretokenizers() {
  std::string names;
  for (const PretokenizerScheme& scheme : kSchemes) {
    if (!names.empty()) names += ", ";
    names += scheme.name;
  }
  return names;
}

}  // namespace wisp::text
