// Tokens in, text that may be shown out: whole characters, and nothing of a stop string.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/token.h"
#include "sample/stop_strings.h"
#include "text/tokenizer.h"

namespace wisp::runtime {

class TextStream {
 public:
  // Without a tokenizer there is no text at all.
  TextStream(const text::Tokenizer* tokenizer, bool show_special, std::vector<TokenId> shown, sample::StopMatcher stops)
      : stops_(std::move(stops)) {
    if (tokenizer != nullptr) decoder_.emplace(*tokenizer, show_special, std::move(shown));
  }

  // Appends to `out` what became certain with this token. True once a stop string is complete.
  bool push(TokenId token, std::string& out) { return decoder_ && stops_.push(decoder_->push(token), out); }
  // Appends what was held back, at the end of the stream.
  void finish(std::string& out) {
    if (!decoder_ || stops_.matched()) return;
    if (!stops_.push(decoder_->flush(), out)) stops_.flush(out);
  }

 private:
  std::optional<text::StreamDecoder> decoder_;
  sample::StopMatcher stops_;
};

}  // namespace wisp::runtime
