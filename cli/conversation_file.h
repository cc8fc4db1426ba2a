// A conversation as a file: {"messages": [{"role": "user", "content": "..."}, ...]}, as OpenAI's API has it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat/message.h"

namespace wisp::cli {

// Readable by its owner only.
Status save_conversation(const std::string& path, const std::vector<text::ChatMessage>& messages);
// Code::invalid_file says what is wrong with it: after a system message, if there is one, users and assistants take
// turns, between them calls and results of tools, and the last word is an assistant's.
Result<std::vector<text::ChatMessage>> load_conversation(const std::string& path);

}  // namespace wisp::cli
