// The conversation of a request: messages, and what else the model's template is told.
#pragma once

#include <string>
#include <string_view>

#include "api/request.h"
#include "base/result.h"
#include "text/jinja/value.h"

namespace wisp::api {

// "messages", "tools" and what else OpenAI's interface has beside them (docs/tool-calls.md).
bool is_chat_member(std::string_view name);
// "messages" makes the conversation the prompt, in place of any before.
Status set_chat_member(RequestChoice& choice, std::string_view name, const text::jinja::Value& value);
// The JSON of a list of messages, or of an object with them and the other members, in place of those before.
Status set_chat(RequestChoice& choice, std::string_view json);
// All of it as one JSON object, and the same with no messages in it.
std::string chat_json(const RequestChoice& choice);
std::string chat_json_without_messages(const RequestChoice& choice);

}  // namespace wisp::api
