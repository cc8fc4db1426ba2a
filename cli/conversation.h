// What was said so far, and how it becomes a prompt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat/chat_prompt.h"
#include "text/tokenizer.h"

namespace wisp::cli {

// What holds for a whole conversation.
struct ConversationSetup {
  std::string system;             // "": none
  std::vector<text::Tool> tools;  // that the model may call
  std::string variables;          // a JSON object for the template, or ""
};

class Conversation {
 public:
  // With the model's own template. Code::unsupported when it has none. `tokenizer` outlives the conversation.
  static Result<Conversation> create(const text::Tokenizer& tokenizer, ConversationSetup setup);

  void add_user(std::string text) { said().push_back({"user", std::move(text)}); }
  void add(text::ChatMessage message) { said().push_back(std::move(message)); }
  // Takes the last message back: it could not be answered.
  void drop_last() { said().pop_back(); }
  // Takes the last question and all that followed it back, and gives the question; "" where there is none.
  std::string drop_exchange();
  void reset();
  // "": none. What was said stays.
  void set_system(std::string system);
  // A system message first, if there is one; then questions of users, each with what followed: answers, calls, results.
  [[nodiscard]] const std::vector<text::ChatMessage>& messages() const { return request_.messages; }
  void set_messages(std::vector<text::ChatMessage> messages);

  [[nodiscard]] const text::OutputFormat& format() const { return form_.format(); }
  [[nodiscard]] const std::vector<text::Tool>& tools() const { return request_.tools; }

  struct Prompt {
    std::vector<TokenId> ids;
    std::string end;              // as text::ChatPrompt has it
    std::size_t n_forgotten = 0;  // messages dropped to make it fit
  };
  // The conversation as the model reads it, up to where its answer begins. The oldest exchanges are forgotten, for
  // good, while the prompt is longer than `most` tokens; the last question and what followed it always stay.
  Result<Prompt> prompt(std::size_t most);

 private:
  Conversation(const text::Tokenizer& tokenizer, text::ChatForm form, ConversationSetup setup);
  std::vector<text::ChatMessage>& said() { return request_.messages; }
  Result<text::ChatPrompt> encode() const;

  const text::Tokenizer* tokenizer_;
  text::ChatForm form_;
  std::string system_;
  text::ChatRequest request_;
};

}  // namespace wisp::cli
