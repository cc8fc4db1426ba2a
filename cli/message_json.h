// Messages as OpenAI's interface has them.
#pragma once

#include <vector>

#include "json.h"
#include "text/chat/message.h"

namespace wisp::cli {

// [{"id", "type": "function", "function": {"name", "arguments"}}, ...]
inline Json calls_json(const std::vector<text::ToolCall>& calls) {
  Json list = Json::array();
  for (const text::ToolCall& call : calls) {
    list.push_back(
        {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return list;
}

// role and content, and of the others those that are not empty.
inline Json message_json(const text::ChatMessage& message) {
  Json made = {{"role", message.role}, {"content", message.content}};
  if (!message.reasoning.empty()) made["reasoning_content"] = message.reasoning;
  if (!message.tool_calls.empty()) made["tool_calls"] = calls_json(message.tool_calls);
  if (!message.tool_call_id.empty()) made["tool_call_id"] = message.tool_call_id;
  if (!message.name.empty()) made["name"] = message.name;
  return made;
}

}  // namespace wisp::cli
