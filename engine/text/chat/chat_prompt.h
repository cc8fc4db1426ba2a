// From a request to the ids that a model reads: the control tokens that a template writes are control tokens; what a
// message, a tool or a variable of the request spells never is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat/chat_form.h"
#include "text/tokenizer.h"

namespace wisp::text {

// The template of the model whose vocabulary this is. Code::unsupported where it has none; failures of
// ChatForm::create, which say that it is the model's template that is wrong.
Result<ChatForm> chat_form_of(const Tokenizer& tokenizer);

struct ChatPrompt {
  std::vector<TokenId> ids;
  std::string end;  // what the template wrote to make the model answer: for OutputParser::prime
};

// Renders `request` with `form` and encodes the text. Where the template writes no BOS and the vocabulary wants one, it
// is put in front. The ids are those of the rendered text, except that a control token whose spelling takes in a
// character of the request is encoded as the plain text that it is; prompt_marks.h says how these characters are found.
// Code::unsupported, with the spelling, in the one case where they cannot be: the request spells a control token, and
// the template changes what it finds there. Failures of ChatForm::render as they are.
Result<ChatPrompt> encode_chat(const ChatForm& form, const Tokenizer& tokenizer, const ChatRequest& request,
                               std::int64_t now_unix_seconds);

}  // namespace wisp::text
