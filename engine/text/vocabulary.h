// The vocabulary of a model as its GGUF metadata gives it, checked: texts, scores, kinds, special ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "gguf/metadata.h"

namespace wisp::text {

using TokenId = std::int32_t;

// GGUF's tokenizer.ggml.token_type.
enum class TokenKind : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

// tokenizer.ggml.model
enum class TokenizerModel : std::uint8_t { spm, bpe };  // "llama", "gpt2"; more come with the text work

struct Vocabulary {
  TokenizerModel model = TokenizerModel::spm;
  std::string pre;                  // tokenizer.ggml.pre: which pre-tokenizer splits text for BPE; "" where absent
  std::vector<std::string> tokens;  // bytes, in the file's own spelling (SPM: U+2581 for a space; BPE: byte alphabet)
  std::vector<float> scores;        // as many as tokens, or none
  std::vector<TokenKind> kinds;     // as many as tokens
  std::vector<std::string> merges;  // BPE: "left right" in rank order
  std::optional<TokenId> bos, eos, eot, unk, sep, pad;
  std::vector<TokenId> end_of_generation;  // eos, eot and the other known end tokens by text, ascending, unique
  bool add_bos = false;                    // whether encode(add_special) puts BOS in front
  bool add_eos = false;
  bool add_space_prefix = true;            // SPM
  bool remove_extra_whitespaces = false;   // SPM
  std::string chat_template;               // tokenizer.chat_template, or ""

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(tokens.size()); }
  [[nodiscard]] bool is_end(TokenId id) const;  // in end_of_generation
};

// Refuses by name: a missing or mistyped key, unequal lengths, an unknown tokenizer model, ids out of range.
Result<Vocabulary> read_vocabulary(const gguf::Metadata& metadata);

}  // namespace wisp::text
