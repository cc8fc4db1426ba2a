#include "text/bpe.h"

#include <bit>

#include "text/byte_alphabet.h"
#include "text/escaped_spaces.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace wisp::text {
namespace {

std::size_t text_bytes(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  return bytes;
}

}  // namespace

MergeTable::MergeTable(std::size_t merges) : slots_(std::bit_ceil(2 * merges + 2)) {}

std::size_t MergeTable::slot_of(SymbolId left, SymbolId right) const {
  const std::uint64_t key = (std::uint64_t{left} << 32) | right;
  const std::uint64_t mixed = (key ^ (key >> 29)) * 0xBF58476D1CE4E5B9u;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = (mixed >> 32) & mask;; slot = (slot + 1) & mask) {
    const Slot& held = slots_[slot];
    if ((held.left == left && held.right == right) || held.left == kNoSymbol) return slot;
  }
}

void MergeTable::add(SymbolId left, SymbolId right, Merge merge) {
  Slot& slot = slots_[slot_of(left, right)];
  if (slot.left == kNoSymbol) slot = {left, right, merge};
}

Merge MergeTable::find(SymbolId left, SymbolId right) const { return slots_[slot_of(left, right)].merge; }

BpeTokenizer::BpeTokenizer(Vocabulary vocabulary, const PretokenizerScheme& scheme)
    : Tokenizer(std::move(vocabulary)),
      scheme_(scheme),
      merges_(vocabulary_.merges.size()),
      whole_(vocabulary_.tokens.size()) {
  index_.reserve(vocabulary_.tokens.size(), text_bytes(vocabulary_.tokens));
  byte_symbols_.fill(kNoSymbol);
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    const std::string& spelling = vocabulary_.tokens[static_cast<std::size_t>(id)];
    const std::optional<std::string> bytes = bytes_of(spelling);
    const bool is_byte = scheme_.raw && byte_token_value(spelling);
    if (is_byte) byte_symbols_[*byte_token_value(spelling)] = static_cast<SymbolId>(id);
    // Plain text never becomes a control token, whatever merges say.
    index_.add(bytes ? *bytes : spelling, bytes && !is_control(id) && !is_byte);
  }
  for (unsigned byte = 0; byte < 256 && !scheme_.raw; ++byte) {
    const char c = static_cast<char>(byte);
    byte_symbols_[byte] = symbol_of({&c, 1});
  }
  add_merges();
}

std::optional<std::string> BpeTokenizer::bytes_of(std::string_view spelling) const {
  return scheme_.raw ? std::optional<std::string>(spelling) : bytes_of_spelling(spelling);
}

SymbolId BpeTokenizer::symbol_of(std::string_view bytes) {
  const SymbolId known = index_.find(bytes);
  return known != kNoSymbol ? known : index_.add(bytes);
}

void BpeTokenizer::add_merges() {
  for (std::uint32_t rank = 0; rank < vocabulary_.merges.size(); ++rank) {
    const std::string_view merge = vocabulary_.merges[rank];
    const std::size_t space = merge.find(' ', 1);  // read_vocabulary has checked that it is there
    const std::optional<std::string> left = bytes_of(merge.substr(0, space));
    const std::optional<std::string> right = bytes_of(merge.substr(space + 1));
    if (!left || !right) continue;  // no text is spelled like this
    const SymbolId left_symbol = symbol_of(*left);
    const SymbolId right_symbol = symbol_of(*right);
    const std::string both = *left + *right;
    if (crosses_words(both)) words_stand_alone_ = false;
    merges_.add(left_symbol, right_symbol, {rank, symbol_of(both)});
  }
}

void BpeTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  std::string replaced;
  if (!is_utf8(text)) text = replaced = replace_invalid_utf8(text, Replace::byte);
  MergeScratch scratch;
  if (vocabulary_.drop_whitespace) return encode_segments(text, scratch, out);
  if (scheme_.raw) return encode_raw(text, scratch, out);
  encode_words(text, scratch, out);
}

void BpeTokenizer::encode_words(std::string_view text, MergeScratch& scratch, std::vector<TokenId>& out) const {
  pretokenize(scheme_.stages, text, [&](std::string_view word) { encode_word(word, scratch, out); });
}

void BpeTokenizer::encode_segments(std::string_view text, MergeScratch& scratch, std::vector<TokenId>& out) const {
  std::string segment;
  for (std::size_t at = 0; at <= text.size();) {
    const Utf8Char character = at < text.size() ? decode_utf8(text, at) : Utf8Char{' ', 1, Utf8State::valid};
    at += character.length;
    if (!is_space(character.code)) {
      append_utf8(segment, vocabulary_.lowercase ? to_lower(character.code) : character.code);
    } else if (!segment.empty()) {
      encode_words(segment, scratch, out);
      segment.clear();
    }
  }
}

void BpeTokenizer::encode_raw(std::string_view text, MergeScratch& scratch, std::vector<TokenId>& out) const {
  std::string escaped;
  append_escaped(escaped, text);
  pretokenize(scheme_.stages, escaped, [&](std::string_view piece) {
    for (std::size_t at = 0; at < piece.size();) {
      const std::size_t end = words_stand_alone_ ? end_of_word(piece, at) : piece.size();
      encode_word(piece.substr(at, end - at), scratch, out);
      at = end;
    }
  });
}

void BpeTokenizer::split(std::string_view word, std::vector<Piece>& pieces) const {
  pieces.clear();
  for (std::uint32_t at = 0; at < word.size();) {
    const std::uint32_t length = scheme_.raw ? decode_utf8(word, at).length : 1;
    const SymbolId symbol =
        scheme_.raw ? index_.find(word.substr(at, length)) : byte_symbols_[static_cast<unsigned char>(word[at])];
    pieces.push_back({symbol, at, length});
    at += length;
  }
}

void BpeTokenizer::encode_word(std::string_view word, MergeScratch& scratch, std::vector<TokenId>& out) const {
  const SymbolId token = index_.find(word);
  const bool known = token != kNoSymbol && is_token(token);
  // Gemma 4 takes a run of line breaks as the token it is.
  const bool takes_whole = scheme_.ignore_merges || (scheme_.whole_breaks && word.front() == '\n');
  if (known && (takes_whole || whole_.state(token) == WholeWords::whole)) {
    out.push_back(static_cast<TokenId>(token));
    return;
  }
  split(word, scratch.pieces);
  merge_pieces(scratch, [&](const Piece& left, const Piece& right) { return merges_.find(left.id, right.id); });
  if (known) whole_.learn(token, scratch.pieces.size() == 1);
  for (const Piece& piece : scratch.pieces) {
    if (is_token(piece.id)) {
      out.push_back(static_cast<TokenId>(piece.id));
      continue;
    }
    // A piece that is no token falls apart into its bytes; a byte that is none either is lost.
    for (const char c : word.substr(piece.start, piece.length)) {
      const SymbolId byte = byte_symbols_[static_cast<unsigned char>(c)];
      if (byte != kNoSymbol && is_token(byte)) out.push_back(static_cast<TokenId>(byte));
    }
  }
}

void BpeTokenizer::append_plain(TokenId id, std::string& out) const {
  const std::string_view text = index_.text(static_cast<SymbolId>(id));
  if (!scheme_.raw) {
    out += text;
  } else if (const auto byte = byte_token_value(text)) {
    out += static_cast<char>(*byte);
  } else {
    append_unescaped(out, text);
  }
}

}  // namespace wisp::text
