// The vocabulary of a model as its GGUF metadata gives it, checked: texts, scores, kinds, special ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "gguf/metadata.h"

namespace wisp::text {

using wisp::TokenId;

// GGUF's tokenizer.ggml.token_type.
enum class TokenKind : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

// tokenizer.ggml.model
enum class TokenizerModel : std::uint8_t {
  spm,      // "llama": SentencePiece's BPE
  bpe,      // "gpt2", "gemma4", "whitespace"
  wpm,      // "bert": WordPiece
  unigram,  // "t5": SentencePiece's unigram model
  rwkv,     // "rwkv": longest match
};

struct Vocabulary {
  TokenizerModel model = TokenizerModel::spm;
  std::string pre;                    // tokenizer.ggml.pre: which pre-tokenizer splits text for BPE; "" where absent
  std::vector<std::string> tokens;    // bytes, in the file's own spelling (SPM: U+2581 for a space; BPE: byte alphabet)
  std::vector<float> scores;          // as many as tokens, or none
  std::vector<TokenKind> kinds;       // as many as tokens
  std::vector<TokenId> strip_before;  // special tokens that swallow the white space before them (<mask>), ascending
  std::vector<TokenId> strip_after;   // or behind them (phi-3)
  std::vector<std::string> merges;    // BPE: "left right" in rank order
  std::optional<TokenId> bos, eos, eot, unk, sep, pad;
  std::vector<TokenId> end_of_generation;  // eos, eot and the other known end tokens by text, ascending, unique
  bool add_bos = false;                    // whether encode(add_special) puts BOS in front
  bool add_eos = false;
  bool add_sep = false;                   // WordPiece: SEP at the end
  bool add_space_prefix = true;           // SPM, unigram
  bool remove_extra_whitespaces = false;  // unigram: runs of white space become one space
  bool drop_whitespace = false;           // BPE: it only parts words ("whitespace")
  bool lowercase = false;                 // WordPiece, and BPE where it drops white space
  bool strip_accents = false;             // WordPiece: marks are dropped, composed letters become their base
  std::string charsmap;                   // unigram: tokenizer.ggml.precompiled_charsmap (charsmap.h), or ""
  std::string chat_template;              // tokenizer.chat_template, or ""

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(tokens.size()); }
  [[nodiscard]] bool is_end(TokenId id) const;  // in end_of_generation
};

// The byte that a token of kind `byte` stands for: 0x0A for "<0x0A>"; nothing for a text of another form.
std::optional<std::uint8_t> byte_token_value(std::string_view text);

// Bytes of all token texts together, and of all merges; real vocabularies hold a few million.
inline constexpr std::uint64_t kMaxVocabularyBytes = 1u << 30;

// Refuses by name: a missing or mistyped key, unequal lengths, an unknown tokenizer model, a score that is not a
// number. A special id outside the vocabulary is ignored with a warning, as other engines do: such files exist and
// work.
Result<Vocabulary> read_vocabulary(const gguf::Metadata& metadata);

}  // namespace wisp::text
