#include "text/wpm.h"

#include <array>

#include "text/escaped_spaces.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

// What BERT's normaliser takes for Chinese characters. U+2B820 to U+2B91F are not among them, by a slip that the
// vocabularies were made with.
bool is_chinese(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B81F) ||
         (code >= 0x2B920 && code <= 0x2CEAF) || (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0x2F800 && code <= 0x2FA1F);
}

bool stands_alone(char32_t code) {
  return is_punctuation(code) || (code < 0x7F && is_symbol(code)) || is_chinese(code);
}

bool is_control_character(char32_t code) {
  const Category kind = category(code);
  return kind >= Category::Cc && kind <= Category::Co;
}

}  // namespace

WpmTokenizer::WpmTokenizer(Vocabulary vocabulary) : Tokenizer(std::move(vocabulary)), tokens_(plain_texts()) {
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    index_.add(vocabulary_.tokens[static_cast<std::size_t>(id)], !is_control(id));
  }
}

void WpmTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  std::string word(kEscapedSpace);
  const auto end_word = [&] {
    if (word.size() > kEscapedSpace.size()) encode_word(word, out);
    word.resize(kEscapedSpace.size());
  };
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char character = decode_utf8(text, at);
    at += character.length;
    char32_t code = character.code;
    if (vocabulary_.strip_accents) code = base_of(code);
    if (is_space(code)) {
      end_word();
      continue;
    }
    if (code == 0 || code == kReplacement || is_control_character(code)) continue;
    if (vocabulary_.strip_accents && is_mark(code)) continue;
    const bool alone = stands_alone(code);
    if (alone) end_word();
    append_utf8(word, vocabulary_.lowercase ? to_lower(code) : code);
    if (alone) end_word();
  }
  end_word();
}

void WpmTokenizer::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  if (const SymbolId whole = index_.find(word); whole != kNoSymbol) {
    out.push_back(static_cast<TokenId>(whole));
    return;
  }
  const std::size_t before = out.size();
  while (!word.empty()) {
    const ByteTrie::Match match = tokens_.longest(word);
    if (match.length == 0) {
      out.resize(before);
      if (vocabulary_.unk) out.push_back(*vocabulary_.unk);
      return;
    }
    out.push_back(match.token);
    word.remove_prefix(match.length);
  }
}

void WpmTokenizer::append_plain(TokenId id, std::string& out) const {
  append_unescaped(out, vocabulary_.tokens[static_cast<std::size_t>(id)]);
}

}  // namespace wisp::text
