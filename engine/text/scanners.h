// What cuts a text into words before BPE merges: one function a regular expression, linear in the text. The comments
// give the expressions; "contraction" is (?i:'s|'t|'re|'ve|'m|'ll|'d), "spaces" is \s+(?!\S)|\s+.
//
// Where llama.cpp reads an expression otherwise than its author's library does, the scanner does as llama.cpp, because
// that is what GGUF files are used with: docs/tokenizers.md lists these.
#pragma once

#include <cstddef>
#include <string_view>

namespace wisp::text {

// The end of the match that starts at `at` (below text.size()), or `at` itself where none does. The text is UTF-8.
using Scanner = std::size_t (*)(std::string_view text, std::size_t at);

// The family of GPT-2 and Llama 3 (scanners_words.cpp)

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|spaces
std::size_t scan_gpt2(std::string_view text, std::size_t at);
// contraction|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|spaces
std::size_t scan_llama3(std::string_view text, std::size_t at);
// As Llama 3, but \p{N}: one digit a word
std::size_t scan_qwen2(std::string_view text, std::size_t at);
// As Qwen 2, with marks in words: [\p{L}\p{M}]+ and [^\s\p{L}\p{M}\p{N}]+
std::size_t scan_qwen35(std::string_view text, std::size_t at);
// As Qwen 2, but [^\s\p{L}\p{N}\r\n]+ without the line breaks behind it
std::size_t scan_seed_coder(std::string_view text, std::size_t at);
// As Qwen 2, without contractions
std::size_t scan_ufakzeka(std::string_view text, std::size_t at);
// As Llama 3, but \p{N}+
std::size_t scan_minicpm5(std::string_view text, std::size_t at);
// As Llama 3, but the spaces are \s{512}(?!\S)|\s{256}(?!\S)|...|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}
std::size_t scan_jais2(std::string_view text, std::size_t at);
// As Qwen 2, with words of several words, [^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+, and [\r\n/]? behind
// punctuation
std::size_t scan_exaone_moe(std::string_view text, std::size_t at);

// The family of GPT-4o (scanners_cased.cpp)

// [^\r\n\p{L}\p{N}]?U*V+contraction?|[^\r\n\p{L}\p{N}]?U+V*contraction?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|
// \s*[\r\n]+|spaces, where U is a letter but a-z, and V a letter but A-Z
std::size_t scan_gpt4o(std::string_view text, std::size_t at);
// The same without contractions and with \p{N}
std::size_t scan_tekken(std::string_view text, std::size_t at);
// As GPT-4o, with marks among U and V
std::size_t scan_granite_embedding(std::string_view text, std::size_t at);
// As GPT-4o, with [\p{L}\p{M}]+ for both of U*V+ and U+V*
std::size_t scan_tiny_aya(std::string_view text, std::size_t at);
// The same with \p{N}
std::size_t scan_youtu(std::string_view text, std::size_t at);
// \p{Han}+|, then as GPT-4o with \p{L}+ outside of Han for words, and [\r\n]* behind punctuation
std::size_t scan_kimi_k2(std::string_view text, std::size_t at);

// The family of DeepSeek V3 (scanners_words.cpp)

// [!-/:-~][A-Za-z]+ (ASCII punctuation and symbols)|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
// \s*[\r\n]+|spaces
std::size_t scan_deepseek3(std::string_view text, std::size_t at);
// The same with [\r\n] for line breaks, and none behind punctuation
std::size_t scan_spark(std::string_view text, std::size_t at);

// Single cuts, for schemes of several stages (scanners_stages.cpp)

std::size_t scan_number(std::string_view text, std::size_t at);         // \p{N}
std::size_t scan_numbers(std::string_view text, std::size_t at);        // \p{N}+
std::size_t scan_numbers_by_3(std::string_view text, std::size_t at);   // \p{N}{1,3}
std::size_t scan_three_digits(std::string_view text, std::size_t at);   // [0-9][0-9][0-9]
std::size_t scan_digit_triples(std::string_view text, std::size_t at);  // cuts at (?=([0-9]{3})+(?![0-9]))
// Everything up to the end of the next group of numbers, which come in threes counted from the end of their run.
std::size_t scan_to_number_group(std::string_view text, std::size_t at);
std::size_t scan_break(std::string_view text, std::size_t at);           // [\r\n]
std::size_t scan_lines(std::string_view text, std::size_t at);           // [^\n]+|[\n]+
std::size_t scan_not_spaces(std::string_view text, std::size_t at);      // \S+
std::size_t scan_spaces_at_end(std::string_view text, std::size_t at);   // \s+$
std::size_t scan_letters(std::string_view text, std::size_t at);         // \s?\p{L}+
std::size_t scan_punctuation(std::string_view text, std::size_t at);     // \s?\p{P}+
std::size_t scan_symbols(std::string_view text, std::size_t at);         // [\p{P}$+<=>^~|]+
std::size_t scan_falcon_symbols(std::string_view text, std::size_t at);  // [\p{P}$+<=>^~|`]+
std::size_t scan_ascii_symbol(std::string_view text, std::size_t at);    // [\p{P}!-/:-@\[-`{-~]
std::size_t scan_cased_letters(std::string_view text, std::size_t at);   // \s?[letters of cased scripts]+
std::size_t scan_deepseek_marks(std::string_view text, std::size_t at);  // \s?[ASCII but digits, wide forms, quotes]+
std::size_t scan_east_asian(std::string_view text, std::size_t at);      // [U+0800-U+9FA5 U+AC00-U+D7FF]+
std::size_t scan_han_and_kana(std::string_view text, std::size_t at);    // [U+4E00-U+9FA5 U+3040-U+30FF]+
std::size_t scan_asian_scripts(std::string_view text, std::size_t at);   // AFMoE's list of scripts
std::size_t scan_korean_chinese(std::string_view text, std::size_t at);  // Youtu's runs of one script
std::size_t scan_bloom(std::string_view text, std::size_t at);           //  ?[^(\s|.,!?...)]+
std::size_t scan_sentinel(std::string_view text, std::size_t at);        // <sentinel:[0-9]+>
std::size_t scan_image_token(std::string_view text, std::size_t at);     // IMGIMG[A-I]{1,4}Z
std::size_t scan_tab_or_indent(std::string_view text, std::size_t at);   // [\t\n]|    |  (four spaces or two)

// Shared by the families

// 's|'t|'re|'ve|'m|'ll|'d, in capitals too where any_case
std::size_t contraction(std::string_view text, std::size_t at, bool any_case);
// \s+(?!\S)|\s+ : white space, leaving its last character to the word behind it where there is more than one.
std::size_t spaces(std::string_view text, std::size_t at);
// \s*[\r\n]+|\s+(?!\S)|\s+ : white space up to the last line break in it, if there is one.
std::size_t breaks_or_spaces(std::string_view text, std::size_t at);

}  // namespace wisp::text
