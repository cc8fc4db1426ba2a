// Text to token ids and back. A Tokenizer is immutable once made and may be used from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/vocabulary.h"

namespace wisp::text {

struct EncodeOptions {
  bool add_special = false;    // BOS/EOS as the vocabulary's own rule says
  bool parse_special = false;  // the text of control tokens becomes those tokens; user-defined ones always do
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Code::unsupported for a pre-tokenizer that is not known, by name.
  static Result<std::unique_ptr<Tokenizer>> create(Vocabulary vocabulary);

  // Any bytes are accepted, UTF-8 or not.
  [[nodiscard]] Result<std::vector<TokenId>> encode(std::string_view text, EncodeOptions options) const;
  // The bytes one token stands for; a control token gives its text when `show_special`, else nothing. An id outside the
  // vocabulary gives nothing. A leading space that the SPM rule added is not removed here (see Detokenizer).
  [[nodiscard]] std::string token_bytes(TokenId id, bool show_special) const;
  // The exact bytes of a sequence, special tokens shown: the concatenation of token_bytes(id, true).
  [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const;
  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  explicit Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  // Encodes a piece of plain text that holds no special token; appends to `out`. `first` is true at the start of text.
  virtual void encode_plain(std::string_view text, bool first, std::vector<TokenId>& out) const = 0;
  Vocabulary vocabulary_;
};

// Turns a stream of tokens into a stream of text that never holds half a character: bytes of an incomplete UTF-8
// sequence wait for the next token; bytes that can no longer become valid come out as U+FFFD.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool show_special) : tokenizer_(tokenizer), show_special_(show_special) {}
  // The text that became certain with this token; may be empty.
  std::string push(TokenId id);
  // What was still waiting, at the end of the stream.
  std::string flush();

 private:
  const Tokenizer& tokenizer_;
  bool show_special_;
  std::string pending_;
};

}  // namespace wisp::text
