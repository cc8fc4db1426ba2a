// Byte-level BPE as GPT-2 introduced it: text is cut into words (pretokenizer.h), and the bytes of a word are merged by
// a ranked list of pairs. Raw schemes (Gemma 4) merge characters instead, with spaces spelled U+2581, and fall back to
// byte tokens.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "text/merge.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/whole_words.h"

namespace wisp::text {

// From a pair of symbols to what they merge to: open addressing, a 16-byte slot a pair.
class MergeTable {
 public:
  explicit MergeTable(std::size_t merges);
  // A pair that is there already keeps its rank.
  void add(SymbolId left, SymbolId right, Merge merge);
  [[nodiscard]] Merge find(SymbolId left, SymbolId right) const;

 private:
  struct Slot {
    SymbolId left = kNoSymbol, right = kNoSymbol;
    Merge merge;
  };
  [[nodiscard]] std::size_t slot_of(SymbolId left, SymbolId right) const;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(Vocabulary vocabulary, const PretokenizerScheme& scheme);

 private:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  void append_plain(TokenId id, std::string& out) const override;
  void encode_words(std::string_view text, MergeScratch& scratch, std::vector<TokenId>& out) const;
  // What stands between white space, which is dropped.
  void encode_segments(std::string_view text, MergeScratch& scratch, std::vector<TokenId>& out) const;
  void encode_raw(std::string_view text, MergeScratch& scratch, std::vector<TokenId>& out) const;
  void encode_word(std::string_view word, MergeScratch& scratch, std::vector<TokenId>& out) const;
  void split(std::string_view word, std::vector<Piece>& pieces) const;
  // What a spelling in the file stands for; nothing where no text is spelled like it.
  [[nodiscard]] std::optional<std::string> bytes_of(std::string_view spelling) const;
  // The number of these bytes, given now if they are new: a merge may pass through pieces that are no tokens.
  SymbolId symbol_of(std::string_view bytes);
  void add_merges();
  [[nodiscard]] bool is_token(SymbolId symbol) const { return symbol < static_cast<SymbolId>(vocabulary_.size()); }

  const PretokenizerScheme& scheme_;
  TokenIndex index_;  // the tokens' real bytes, then the intermediate pieces
  MergeTable merges_;
  std::array<SymbolId, 256> byte_symbols_{};  // raw: of the byte tokens, kNoSymbol where there is none
  bool words_stand_alone_ = true;             // raw: no merge goes on past the end of a word into the space behind it
  WholeWords whole_;
};

}  // namespace wisp::text
