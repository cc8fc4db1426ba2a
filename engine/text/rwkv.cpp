#include "text/rwkv.h"

#include <charconv>

namespace wisp::text {
namespace {

std::string unescape(std::string_view spelling) {
  std::string bytes;
  for (std::size_t at = 0; at < spelling.size(); ++at) {
    if (spelling[at] != '\\' || at + 1 == spelling.size()) {
      bytes += spelling[at];
      continue;
    }
    switch (const char c = spelling[++at]) {
      case 't': bytes += '\t'; break;
      case 'n': bytes += '\n'; break;
      case 'r': bytes += '\r'; break;
      case 'x': {
        const std::string_view digits = spelling.substr(at + 1, 2);
        unsigned value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (error == std::errc() && end == digits.data() + 2) {
          bytes += static_cast<char>(value);
          at += 2;
        } else {
          bytes += c;
        }
        break;
      }
      default: bytes += c;
    }
  }
  return bytes;
}

std::vector<std::string> unescape_all(const std::vector<std::string>& spellings) {
  std::vector<std::string> bytes;
  bytes.reserve(spellings.size());
  for (const std::string& spelling : spellings) bytes.push_back(unescape(spelling));
  return bytes;
}

std::vector<ByteTrie::Text> texts_of(const std::vector<std::string>& bytes, std::vector<ByteTrie::Text> plain) {
  for (ByteTrie::Text& text : plain) text.bytes = bytes[static_cast<std::size_t>(text.id)];
  return plain;
}

}  // namespace

RwkvTokenizer::RwkvTokenizer(Vocabulary vocabulary)
    : Tokenizer(std::move(vocabulary)),
      bytes_(unescape_all(vocabulary_.tokens)),
      tokens_(texts_of(bytes_, plain_texts())) {}

void RwkvTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  while (!text.empty()) {
    const ByteTrie::Match match = tokens_.longest(text);
    if (match.length != 0) {
      out.push_back(match.token);
    } else if (vocabulary_.unk) {
      out.push_back(*vocabulary_.unk);
    }
    text.remove_prefix(std::max<std::size_t>(match.length, 1));
  }
}

void RwkvTokenizer::append_plain(TokenId id, std::string& out) const { out += bytes_[static_cast<std::size_t>(id)]; }

}  // namespace wisp::text
