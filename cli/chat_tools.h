// Functions that a model may call in a chat, and what answers a call: a program, or the person at the terminal.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat/message.h"

namespace wisp::cli {

struct ChatTools {
  std::vector<text::Tool> tools;
  // By the function's name: a program and its arguments, started without a shell. Those that are not here are answered
  // by the person.
  std::map<std::string, std::vector<std::string>, std::less<>> commands;
};

// A list of functions as OpenAI's interface has them, or an object with it as "tools". Beside "function" an entry may
// have "command": ["program", "argument", ...]. Code::invalid_file names the entry that is wrong.
Result<ChatTools> read_tools(const std::string& path);

// Runs a program with the call's arguments, a JSON object, on its standard input; gives what it prints. What goes wrong
// (it is not there, ends with another status than 0, takes over a minute, prints over 1 MiB) is text for the model too:
// "error: ..." and the end of what it had printed on standard error.
std::string run_tool(const std::vector<std::string>& command, std::string_view arguments);

}  // namespace wisp::cli
