// What was said so far, and how it becomes a prompt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace wisp::cli {

class Conversation {
 public:
  // With the model's own template. Code::unsupported when it has none. `tokenizer` outlives the conversation.
  static Result<Conversation> create(const text::Tokenizer& tokenizer, std::string system);

  void add_user(std::string text) { messages_.push_back({"user", std::move(text)}); }
  void add_assistant(std::string text) { messages_.push_back({"assistant", std::move(text)}); }
  // Takes the last message back: it could not be answered.
  void drop_last() { messages_.pop_back(); }
  // Takes the last question and its answer back, and gives the question; "" where there is none.
  std::string drop_exchange();
  void reset();
  // "": none. What was said stays.
  void set_system(std::string system);
  // A system message first, if there is one; then users and assistants take turns.
  [[nodiscard]] const std::vector<text::ChatMessage>& messages() const { return messages_; }
  void set_messages(std::vector<text::ChatMessage> messages);

  struct Prompt {
    std::vector<TokenId> ids;
    std::size_t n_forgotten = 0;  // messages dropped to make it fit
  };
  // The conversation as the model reads it, up to where its answer begins. The oldest exchanges are forgotten, for
  // good, while the prompt is longer than `most` tokens; the last message always stays.
  Result<Prompt> prompt(std::size_t most);

 private:
  Conversation(const text::Tokenizer& tokenizer, text::ChatTemplate form, std::string system);
  Result<std::vector<TokenId>> encode() const;

  const text::Tokenizer* tokenizer_;
  text::ChatTemplate template_;
  std::string system_;
  std::vector<text::ChatMessage> messages_;  // a system message first, if there is one
};

}  // namespace wisp::cli
