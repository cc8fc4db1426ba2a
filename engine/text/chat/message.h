// What a conversation is made of, in the shape that clients of OpenAI's interface send.
#pragma once

#include <string>
#include <vector>

namespace wisp::text {

struct ToolCall {
  std::string id;  // empty where the model's format has none
  std::string name;
  std::string arguments;  // the text of a JSON object
};

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", "tool"
  std::string content;
  std::string reasoning = {};                // of an assistant: what it thought before `content`
  std::vector<ToolCall> tool_calls = {};     // of an assistant
  std::string tool_call_id = {}, name = {};  // of a tool: the call that it answers, and whose that was
};

// A function that a model may call.
struct Tool {
  std::string name;
  std::string definition;  // JSON text: {"type": "function", "function": {"name", "description", "parameters"}}
};

}  // namespace wisp::text
