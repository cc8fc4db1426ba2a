// Text to token ids and back. A Tokenizer is immutable once made and may be used from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/byte_trie.h"
#include "text/special_tokens.h"
#include "text/vocabulary.h"

namespace wisp::text {

struct EncodeOptions {
  bool add_special = false;    // BOS/EOS as the vocabulary's own rule says
  bool parse_special = false;  // the text of control tokens becomes those tokens; user-defined ones always do
  // Ends of characters that are plain text whatever parse_special says, as ascending byte offsets: no control token is
  // found whose text takes one of these characters in. user-defined tokens are found all the same.
  std::span<const std::size_t> plain_ends = {};
};

// Bytes of one text; offsets inside it are 32 bits wide.
inline constexpr std::size_t kMaxTextBytes = 1u << 30;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  // Code::unsupported for a pre-tokenizer that is not known, by name; Code::invalid_file for a character map that is
  // none.
  static Result<std::unique_ptr<Tokenizer>> create(Vocabulary vocabulary);

  // Any bytes are accepted, UTF-8 or not: SPM keeps bytes that are not UTF-8 (as byte tokens), BPE and unigram take
  // each of them for one U+FFFD, WordPiece drops them, RWKV has tokens for them. Without parse_special no text gives a
  // control token. Code::limit past kMaxTextBytes.
  [[nodiscard]] Result<std::vector<TokenId>> encode(std::string_view text, EncodeOptions options) const;
  // The first place at or after `from` where a text spells a control token.
  [[nodiscard]] std::optional<SpecialTokens::Match> find_control(std::string_view text, std::size_t from) const;
  // The bytes one token stands for; a control token gives its text when `show_special`, else nothing. An id outside the
  // vocabulary gives nothing. A leading space that the SPM rule added stays.
  [[nodiscard]] std::string token_bytes(TokenId id, bool show_special) const;
  // The exact bytes of a sequence, special tokens shown: the concatenation of token_bytes(id, true).
  [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const;
  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  explicit Tokenizer(Vocabulary vocabulary);
  // Encodes a piece of plain text, not empty, that holds no special token: it stands at the start of the text or right
  // behind one. Appends to `out`.
  virtual void encode_plain(std::string_view text, std::vector<TokenId>& out) const = 0;
  // The bytes of a normal or byte token that is inside the vocabulary.
  virtual void append_plain(TokenId id, std::string& out) const = 0;
  // Tokens that stand for no text of their own: control, unknown.
  [[nodiscard]] bool is_control(TokenId id) const;
  // The tokens that text can become: all but those and byte tokens. In the file's spelling, which vocabulary_ owns.
  [[nodiscard]] std::vector<ByteTrie::Text> plain_texts() const;

  Vocabulary vocabulary_;

 private:
  void append_bytes(TokenId id, bool show_special, std::string& out) const;
  SpecialTokens specials_;
};

// Turns a stream of tokens into a stream of text that never holds half a character: bytes of an incomplete UTF-8
// sequence wait for the next token; bytes that can no longer become valid come out as U+FFFD, one for each malformed
// piece, as browsers and Python do. However the bytes are cut into tokens, the text is the same.
class StreamDecoder {
 public:
  // Control tokens appear where `show_special`, and where they are among `shown`.
  StreamDecoder(const Tokenizer& tokenizer, bool show_special, std::vector<TokenId> shown = {})
      : tokenizer_(tokenizer), show_special_(show_special), shown_(std::move(shown)) {}
  // The text that became certain with this token; may be empty.
  std::string push(TokenId id);
  // What was still waiting, at the end of the stream: U+FFFD or nothing.
  std::string flush();

 private:
  const Tokenizer& tokenizer_;
  bool show_special_;
  std::vector<TokenId> shown_;  // few
  std::string pending_;         // at most 3 bytes: the start of a character
};

}  // namespace wisp::text
