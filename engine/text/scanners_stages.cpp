// The single cuts that schemes of several stages are made of.
#include <algorithm>

#include "text/character_class.h"
#include "text/scanners.h"

namespace wisp::text {
namespace {

// \s?X+
std::size_t space_and(std::string_view text, std::size_t at, Classes classes) {
  const std::size_t start = run_of(text, at, kSpace, 1);
  const std::size_t end = run_of(text, start, classes);
  return end != start ? end : at;
}
std::size_t space_and(std::string_view text, std::size_t at, const CodeSet& set) {
  const std::size_t start = run_of(text, at, kSpace, 1);
  const std::size_t end = run_inside(text, start, set);
  return end != start ? end : at;
}

// Letters of the scripts that have capitals, as DeepSeek LLM lists them.
constexpr CodeRange kCasedLettersRanges[] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},       {0xD8, 0xF6},
    {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},     {0x295, 0x2AF},     {0x370, 0x373},
    {0x376, 0x377},     {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},
    {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},     {0x48A, 0x52F},
    {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},   {0x1C90, 0x1CBA},
    {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},
    {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},
    {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},   {0x1FB6, 0x1FBC},
    {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},   {0x1FD6, 0x1FDB},
    {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},   {0x2107, 0x2107},
    {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},
    {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},   {0x213C, 0x213F},
    {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2184},   {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},
    {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF3},   {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},
    {0xA771, 0xA787},   {0xA78B, 0xA78E},   {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},
    {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},   {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};
// Letters are among them: in the text that the stages before leave they are words already, or cut here.
constexpr CodeRange kDeepseekMarksRanges[] = {{0x21, 0x2F},     {0x3A, 0x7E},     {0x2018, 0x201F},
                                              {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
constexpr CodeRange kEastAsianRanges[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
constexpr CodeRange kHanAndKanaRanges[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
// One range of the list was meant to start at U+F900, but is written from its canonical form, U+8C48: it holds all
// between U+4E00 and U+FAFF.
constexpr CodeRange kAsianScriptsRanges[] = {{0xE40, 0xEFF},   {0x1000, 0x109F}, {0x1100, 0x11FF},
                                             {0x1780, 0x17FF}, {0x2F00, 0x2FDF}, {0x3040, 0x30FF},
                                             {0x3400, 0x4DBF}, {0x4E00, 0xFAFF}, {0xFF65, 0xFF9F}};
constexpr CodeRange kHangulRanges[] = {{0x3131, 0x318E}, {0xAC00, 0xD7A3}};
constexpr CodeRange kChineseMarksRanges[] = {{0x2014, 0x2014}, {0x2018, 0x2019}, {0x201C, 0x201D},
                                             {0x2026, 0x2026}, {0x3001, 0x303F}, {0xFE30, 0xFE4F},
                                             {0xFF01, 0xFF01}, {0xFF0C, 0xFF0C}, {0xFF1A, 0xFF1B}};
constexpr CodeRange kBopomofoRanges[] = {{0x3105, 0x312F}};
// ( ) | . , ! ? and the full stops and commas of Chinese, Hindi, Urdu and Arabic
constexpr CodeRange kBloomMarksRanges[] = {{0x21, 0x21},   {0x28, 0x29},     {0x2C, 0x2C},     {0x2E, 0x2E},
                                           {0x3F, 0x3F},   {0x7C, 0x7C},     {0x60C, 0x60C},   {0x6D4, 0x6D4},
                                           {0x964, 0x964}, {0x2026, 0x2026}, {0x3001, 0x3002}, {0xFF0C, 0xFF0C}};

constexpr CodeSet kCasedLetters(kCasedLettersRanges);
constexpr CodeSet kDeepseekMarks(kDeepseekMarksRanges);
constexpr CodeSet kEastAsian(kEastAsianRanges);
constexpr CodeSet kHanAndKana(kHanAndKanaRanges);
constexpr CodeSet kAsianScripts(kAsianScriptsRanges);
constexpr CodeSet kHangul(kHangulRanges);
constexpr CodeSet kChineseMarks(kChineseMarksRanges);
constexpr CodeSet kBopomofo(kBopomofoRanges);
constexpr CodeSet kBloomMarks(kBloomMarksRanges);

std::size_t run_of_symbols(std::string_view text, std::size_t at, std::string_view symbols) {
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (c.kind != kPunctuation && symbols.find(text[at]) == std::string_view::npos) break;
    at += c.length;
  }
  return at;
}

std::size_t digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit_ascii(text[at])) ++at;
  return at;
}

}  // namespace

std::size_t scan_number(std::string_view text, std::size_t at) { return run_of(text, at, kNumber, 1); }
std::size_t scan_numbers(std::string_view text, std::size_t at) { return run_of(text, at, kNumber); }
std::size_t scan_numbers_by_3(std::string_view text, std::size_t at) { return run_of(text, at, kNumber, 3); }

std::size_t scan_three_digits(std::string_view text, std::size_t at) {
  return digits(text.substr(0, std::min(text.size(), at + 3)), at) == at + 3 ? at + 3 : at;
}

// Everything up to the next cut. A run is counted once, at its start: the cuts behind the first are 3 apart.
std::size_t scan_digit_triples(std::string_view text, std::size_t at) {
  const std::size_t from = at;
  if (at > 0 && is_digit_ascii(text[at]) && is_digit_ascii(text[at - 1])) {
    at += 3;  // the cut before `from` says that triples follow
    if (at < text.size() && is_digit_ascii(text[at])) return at;
  }
  while (at < text.size()) {
    const std::size_t end = digits(text, at);
    const std::size_t count = end - at;
    if (count != 0 && count % 3 == 0 && at != from) return at;
    if (count > 3) return at + (count % 3 == 0 ? 3 : count % 3);
    at = std::max(end, at + 1);
  }
  return text.size();
}

std::size_t scan_to_number_group(std::string_view text, std::size_t at) {
  if (at > 0 && character_before(text, at).kind == kNumber && character_at(text, at).kind == kNumber) {
    return run_of(text, at, kNumber, 3);  // a group ended here: full ones follow
  }
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (c.kind != kNumber) {
      at += c.length;
      continue;
    }
    std::size_t count = 0;
    for (std::size_t end = at; run_of(text, end, kNumber, 1) != end; ++count) end = run_of(text, end, kNumber, 1);
    return run_of(text, at, kNumber, count % 3 == 0 ? 3 : count % 3);
  }
  return at;
}

std::size_t scan_break(std::string_view text, std::size_t at) { return is_break(text[at]) ? at + 1 : at; }

std::size_t scan_lines(std::string_view text, std::size_t at) {
  return std::min(text[at] == '\n' ? text.find_first_not_of('\n', at) : text.find('\n', at), text.size());
}

std::size_t scan_not_spaces(std::string_view text, std::size_t at) {
  return run_of(text, at, static_cast<Classes>(~kSpace));
}

std::size_t scan_spaces_at_end(std::string_view text, std::size_t at) {
  // Where an earlier start of this run has not matched, none does; so that a run is read once.
  if (at > 0 && character_before(text, at).kind == kSpace) return at;
  const std::size_t end = run_of(text, at, kSpace);
  return end == text.size() ? end : at;
}

std::size_t scan_letters(std::string_view text, std::size_t at) { return space_and(text, at, kLetter); }
std::size_t scan_punctuation(std::string_view text, std::size_t at) { return space_and(text, at, kPunctuation); }
std::size_t scan_cased_letters(std::string_view text, std::size_t at) { return space_and(text, at, kCasedLetters); }
std::size_t scan_deepseek_marks(std::string_view text, std::size_t at) { return space_and(text, at, kDeepseekMarks); }

std::size_t scan_symbols(std::string_view text, std::size_t at) { return run_of_symbols(text, at, "$+<=>^~|"); }
std::size_t scan_falcon_symbols(std::string_view text, std::size_t at) { return run_of_symbols(text, at, "$+<=>^~|`"); }

std::size_t scan_ascii_symbol(std::string_view text, std::size_t at) {
  const Character c = character_at(text, at);
  return c.kind == kPunctuation || (c.kind == kSymbol && c.length == 1) ? at + c.length : at;
}

std::size_t scan_east_asian(std::string_view text, std::size_t at) { return run_inside(text, at, kEastAsian); }
std::size_t scan_han_and_kana(std::string_view text, std::size_t at) { return run_inside(text, at, kHanAndKana); }
std::size_t scan_asian_scripts(std::string_view text, std::size_t at) { return run_inside(text, at, kAsianScripts); }

std::size_t scan_korean_chinese(std::string_view text, std::size_t at) {
  for (const CodeSet* const script : {&kHangul, &kChineseMarks, &kBopomofo, &kHanAndKana}) {
    if (const std::size_t end = run_inside(text, at, *script); end != at) return end;
  }
  return at;
}

std::size_t scan_bloom(std::string_view text, std::size_t at) {
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  std::size_t end = start;
  while (end < text.size()) {
    const Utf8Char c = decode_utf8(text, end);
    if (is_space(c.code) || kBloomMarks.contains(c.code)) break;
    end += c.length;
  }
  return end != start ? end : at;
}

std::size_t scan_sentinel(std::string_view text, std::size_t at) {
  constexpr std::string_view opening = "<sentinel:";
  if (!text.substr(at).starts_with(opening)) return at;
  const std::size_t start = at + opening.size();
  const std::size_t end = digits(text, start);
  return end != start && end < text.size() && text[end] == '>' ? end + 1 : at;
}

std::size_t scan_image_token(std::string_view text, std::size_t at) {
  constexpr std::string_view opening = "IMGIMG";
  if (!text.substr(at).starts_with(opening)) return at;
  const std::size_t start = at + opening.size();
  std::size_t end = start;
  while (end < std::min(start + 4, text.size()) && text[end] >= 'A' && text[end] <= 'I') ++end;
  return end != start && end < text.size() && text[end] == 'Z' ? end + 1 : at;
}

std::size_t scan_tab_or_indent(std::string_view text, std::size_t at) {
  if (text[at] == '\t' || text[at] == '\n') return at + 1;
  if (text.substr(at).starts_with("    ")) return at + 4;
  return text.substr(at).starts_with("  ") ? at + 2 : at;
}

}  // namespace wisp::text
