// SentencePiece's BPE: characters merge to the pair whose token has the highest score; a character that is no token
// falls back to one token a byte. Spaces are spelled U+2581.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "text/merge.h"
#include "text/tokenizer.h"
#include "text/whole_words.h"

namespace wisp::text {

class SpmTokenizer final : public Tokenizer {
 public:
  explicit SpmTokenizer(Vocabulary vocabulary);

 private:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  void append_plain(TokenId id, std::string& out) const override;
  // A stretch of escaped text that no merge crosses the ends of.
  void encode_chunk(std::string_view chunk, MergeScratch& scratch, std::vector<TokenId>& out) const;
  void encode_bytes(std::string_view bytes, std::vector<TokenId>& out) const;
  void rank_scores();

  TokenIndex index_;                      // the tokens that text can become, as the file spells them
  std::vector<std::uint32_t> ranks_;      // by token: 0 for the highest score, equal for equal scores
  std::array<TokenId, 256> byte_tokens_;  // -1 where the vocabulary has none
  bool words_stand_alone_ = true;         // no token goes on past the end of a word into the space behind it
  WholeWords whole_;
};

}  // namespace wisp::text
