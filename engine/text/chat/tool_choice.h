// Whether and which tools an answer has to call: OpenAI's tool_choice and parallel_tool_calls.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wisp::text {

struct ToolChoice {
  bool calls = true;      // else nothing in the answer is a call ("none")
  bool required = false;  // a call has to come, and no text in front of it
  std::string only = {};  // the one tool that may be called; empty: any
  bool several = true;    // more than one call may come
};

// Of a request's JSON text: "tool_choice" is "auto", "none", "required" or {"type": "function", "function": {"name":
// ..}}, "parallel_tool_calls" a boolean; either may be missing or null. Code::invalid_argument for anything else.
Result<ToolChoice> parse_tool_choice(std::string_view request);

}  // namespace wisp::text
