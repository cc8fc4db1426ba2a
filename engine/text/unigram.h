// SentencePiece's unigram model: of all ways to cut a text into tokens the one whose scores (logarithms of
// probabilities) add up highest, after a normalisation that the vocabulary brings along. Spaces are spelled U+2581.
#pragma once

#include <array>

#include "text/byte_trie.h"
#include "text/charsmap.h"
#include "text/tokenizer.h"

namespace wisp::text {

class UnigramTokenizer final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> create(Vocabulary vocabulary);

 private:
  UnigramTokenizer(Vocabulary vocabulary, Charsmap charsmap);
  // How the best way to cut a text up to some byte ends.
  struct Best {
    double score;         // of all its tokens
    TokenId last;         // -1: a character that no token stands for
    std::uint32_t start;  // where its last token starts
  };
  struct Scratch {
    std::vector<Best> best;       // [i]: of the first i bytes
    std::vector<Best> path;       // of all bytes, from the end
    bool unknown_before = false;  // the last character given out was unknown
  };

  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  void append_plain(TokenId id, std::string& out) const override;
  [[nodiscard]] std::string normalize(std::string_view text) const;
  // A stretch of normalised text that no token crosses the ends of.
  void encode_chunk(std::string_view chunk, Scratch& scratch, std::vector<TokenId>& out) const;
  void give_unknown(std::string_view character, Scratch& scratch, std::vector<TokenId>& out) const;

  Charsmap charsmap_;
  ByteTrie tokens_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  std::array<TokenId, 256> byte_tokens_{};
  bool byte_fallback_ = true;      // a character that is no token becomes its bytes
  bool words_stand_alone_ = true;  // no token goes on past the end of a word into the space behind it
};

}  // namespace wisp::text
