#include "text/tokenizer.h"

#include <algorithm>
#include <optional>

#include "text/bpe.h"
#include "text/pretokenizer.h"
#include "text/rwkv.h"
#include "text/spm.h"
#include "text/unigram.h"
#include "text/utf8.h"
#include "text/wpm.h"

namespace wisp::text {

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(Vocabulary vocabulary) {
  switch (vocabulary.model) {
    case TokenizerModel::spm: return std::make_unique<SpmTokenizer>(std::move(vocabulary));
    case TokenizerModel::wpm: return std::make_unique<WpmTokenizer>(std::move(vocabulary));
    case TokenizerModel::unigram: return UnigramTokenizer::create(std::move(vocabulary));
    case TokenizerModel::rwkv: return std::make_unique<RwkvTokenizer>(std::move(vocabulary));
    case TokenizerModel::bpe: break;
  }
  const PretokenizerScheme* const scheme = find_pretokenizer(vocabulary.pre);
  if (scheme == nullptr) {
    return fail(Code::unsupported, "pre-tokenizer '{}' is not known; known are {}", printable(vocabulary.pre),
                known_pretokenizers());
  }
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), *scheme);
}

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)), specials_(vocabulary_) {}

bool Tokenizer::is_control(TokenId id) const {
  const TokenKind kind = vocabulary_.kinds[static_cast<std::size_t>(id)];
  return kind == TokenKind::control || kind == TokenKind::unknown;
}

std::vector<ByteTrie::Text> Tokenizer::plain_texts() const {
  std::vector<ByteTrie::Text> texts;
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    if (!is_control(id) && vocabulary_.kinds[i] != TokenKind::byte) texts.push_back({vocabulary_.tokens[i], id});
  }
  return texts;
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    return fail(Code::limit, "the text has {}; the limit is {}", format_bytes(text.size()),
                format_bytes(kMaxTextBytes));
  }
  std::vector<TokenId> ids;
  if (options.add_special && vocabulary_.add_bos && vocabulary_.bos) ids.push_back(*vocabulary_.bos);
  std::size_t at = 0;
  for (const SpecialTokens::Match& match : specials_.find_all(text, options.parse_special, options.plain_ends)) {
    if (match.start > at) encode_plain(text.substr(at, match.start - at), ids);
    ids.push_back(match.id);
    at = match.start + match.length;
  }
  if (at < text.size()) encode_plain(text.substr(at), ids);
  if (options.add_special && vocabulary_.add_sep && vocabulary_.sep) ids.push_back(*vocabulary_.sep);
  if (options.add_special && vocabulary_.add_eos && vocabulary_.eos) ids.push_back(*vocabulary_.eos);
  return ids;
}

std::optional<SpecialTokens::Match> Tokenizer::find_control(std::string_view text, std::size_t from) const {
  return specials_.find_control(text, from);
}

void Tokenizer::append_bytes(TokenId id, bool show_special, std::string& out) const {
  if (id < 0 || id >= vocabulary_.size()) return;
  const std::string& text = vocabulary_.tokens[static_cast<std::size_t>(id)];
  switch (vocabulary_.kinds[static_cast<std::size_t>(id)]) {
    case TokenKind::normal:
    case TokenKind::byte: return append_plain(id, out);
    case TokenKind::user_defined: out += text; return;
    case TokenKind::unknown:
    case TokenKind::control:
    case TokenKind::unused:
      if (show_special) out += text;
      return;
  }
}

std::string Tokenizer::token_bytes(TokenId id, bool show_special) const {
  std::string bytes;
  append_bytes(id, show_special, bytes);
  return bytes;
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string bytes;
  for (const TokenId id : ids) append_bytes(id, true, bytes);
  return bytes;
}

std::string StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_.token_bytes(id, show_special_ || std::ranges::find(shown_, id) != shown_.end());
  // All but a last character that is still incomplete: it starts at most 3 bytes before the end.
  std::size_t certain = pending_.size();
  for (std::size_t back = 1; back <= 3 && back <= pending_.size(); ++back) {
    const std::size_t at = pending_.size() - back;
    if ((static_cast<unsigned char>(pending_[at]) & 0xC0u) == 0x80u) continue;  // a continuation: look further back
    if (decode_utf8(pending_, at).state == Utf8State::incomplete) certain = at;
    break;
  }
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, certain), Replace::piece);
  pending_.erase(0, certain);
  return text;
}

std::string StreamDecoder::flush() {
  std::string text = replace_invalid_utf8(pending_, Replace::piece);
  pending_.clear();
  return text;
}

}  // namespace wisp::text
