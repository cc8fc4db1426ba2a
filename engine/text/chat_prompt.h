// From messages to the ids that a model reads: the control tokens that a template writes are control tokens; what a
// message spells never is.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace wisp::text {

// Renders `messages` with `form` and encodes the text. Where the template writes no BOS and the vocabulary wants one,
// it is put in front. The ids are those of the rendered text, except that a control token whose spelling takes in a
// character of a message is encoded as the plain text that it is; chat_prompt.cpp says how these characters are found.
// Code::unsupported, with the spelling, in the one case where they cannot be: a message spells a control token, and the
// template changes what it finds there. Failures of the template as ChatTemplate::render has them.
Result<std::vector<TokenId>> encode_chat(const ChatTemplate& form, const Tokenizer& tokenizer,
                                         const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                                         std::int64_t now_unix_seconds);

}  // namespace wisp::text
