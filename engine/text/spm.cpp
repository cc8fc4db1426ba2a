#include "text/spm.h"

#include <algorithm>

#include "text/escaped_spaces.h"

namespace wisp::text {
namespace {

// The length of the piece that starts the chunk: what its first byte announces, valid or not, as llama.cpp has it. But
// it never reaches into a U+2581, where the space behind a truncated character would come back as something else.
std::size_t announced_length(std::string_view chunk) {
  const auto lead = static_cast<unsigned char>(chunk[0]);
  if (lead < 0xC0) return 1;
  const std::size_t announced = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const std::string_view near = chunk.substr(0, announced + kEscapedSpace.size() - 1);
  return std::min({announced, chunk.size(), near.find(kEscapedSpace, 1)});
}

}  // namespace

SpmTokenizer::SpmTokenizer(Vocabulary vocabulary)
    : Tokenizer(std::move(vocabulary)), whole_(vocabulary_.tokens.size()) {
  std::size_t bytes = 0;
  for (const std::string& token : vocabulary_.tokens) bytes += token.size();
  index_.reserve(vocabulary_.tokens.size(), bytes);
  byte_tokens_.fill(-1);
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    const std::string& text = vocabulary_.tokens[static_cast<std::size_t>(id)];
    const bool is_byte = vocabulary_.kinds[static_cast<std::size_t>(id)] == TokenKind::byte;
    const bool from_text = !is_byte && !is_control(id);
    index_.add(text, from_text);
    if (is_byte) {
      if (const auto value = byte_token_value(text); value && byte_tokens_[*value] < 0) byte_tokens_[*value] = id;
    }
    if (from_text && crosses_words(text)) words_stand_alone_ = false;
  }
  rank_scores();
}

// Ranks instead of scores, so that SPM and BPE merge by the same loop.
void SpmTokenizer::rank_scores() {
  ranks_.assign(vocabulary_.tokens.size(), 0);
  if (vocabulary_.scores.empty()) return;
  std::vector<float> distinct = vocabulary_.scores;
  std::ranges::sort(distinct, std::ranges::greater());
  distinct.erase(std::ranges::unique(distinct).begin(), distinct.end());
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    const auto found = std::ranges::lower_bound(distinct, vocabulary_.scores[i], std::ranges::greater());
    ranks_[i] = static_cast<std::uint32_t>(found - distinct.begin());
  }
}

void SpmTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 2 + kEscapedSpace.size());
  if (vocabulary_.add_space_prefix) escaped += kEscapedSpace;
  append_escaped(escaped, text);
  MergeScratch scratch;
  for (std::size_t at = 0; at < escaped.size();) {
    const std::size_t end = words_stand_alone_ ? end_of_word(escaped, at) : escaped.size();
    encode_chunk(std::string_view(escaped).substr(at, end - at), scratch, out);
    at = end;
  }
}

void SpmTokenizer::encode_chunk(std::string_view chunk, MergeScratch& scratch, std::vector<TokenId>& out) const {
  const SymbolId token = index_.find(chunk);
  const bool known = token != kNoSymbol;
  if (known && whole_.state(token) == WholeWords::whole) {
    out.push_back(static_cast<TokenId>(token));
    return;
  }
  scratch.pieces.clear();
  for (std::size_t at = 0; at < chunk.size();) {
    const std::size_t length = announced_length(chunk.substr(at));
    scratch.pieces.push_back({kNoSymbol, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length)});
    at += length;
  }
  merge_pieces(scratch, [&](const Piece& left, const Piece& right) {
    const SymbolId merged = index_.find(chunk.substr(left.start, left.length + right.length));
    return merged == kNoSymbol ? Merge{} : Merge{ranks_[merged], merged};
  });
  if (known) whole_.learn(token, scratch.pieces.size() == 1);
  for (const Piece& piece : scratch.pieces) {
    const std::string_view bytes = chunk.substr(piece.start, piece.length);
    const SymbolId id = piece.id != kNoSymbol ? piece.id : index_.find(bytes);
    if (id != kNoSymbol) {
      out.push_back(static_cast<TokenId>(id));
    } else {
      encode_bytes(bytes, out);
    }
  }
}

void SpmTokenizer::encode_bytes(std::string_view bytes, std::vector<TokenId>& out) const {
  for (const char c : bytes) {
    const TokenId id = byte_tokens_[static_cast<unsigned char>(c)];
    if (id >= 0) {
      out.push_back(id);
    } else if (vocabulary_.unk) {
      out.push_back(*vocabulary_.unk);
      return;  // one for the whole character
    }
  }
}

void SpmTokenizer::append_plain(TokenId id, std::string& out) const {
  const std::string_view text = vocabulary_.tokens[static_cast<std::size_t>(id)];
  if (vocabulary_.kinds[static_cast<std::size_t>(id)] == TokenKind::byte) {
    if (const std::optional<std::uint8_t> byte = byte_token_value(text)) out += static_cast<char>(*byte);
    return;
  }
  append_unescaped(out, text);
}

}  // namespace wisp::text
