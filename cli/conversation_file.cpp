#include "conversation_file.h"

#include "arguments.h"
#include "json.h"
#include "message_json.h"
#include "output.h"
#include "private_file.h"
#include "text/chat/chat_form.h"

namespace wisp::cli {
namespace {

std::unexpected<Error> wrong(const std::string& path, const std::string& what) {
  return fail(Code::invalid_file, "{} is not a saved conversation: {}", printable(path, 400), what);
}

}  // namespace

Status save_conversation(const std::string& path, const std::vector<text::ChatMessage>& messages) {
  Json list = Json::array();
  for (const text::ChatMessage& message : messages) list.push_back(message_json(message));
  const std::string text = Json({{"messages", list}}).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return write_private_file(path, std::as_bytes(std::span(text)));
}

Result<std::vector<text::ChatMessage>> load_conversation(const std::string& path) {
  WISP_TRY(const std::string text, read_text_file(path));
  auto read = text::parse_chat_request(text);
  if (!read) return wrong(path, read.error().message);
  std::vector<text::ChatMessage> messages = std::move(read->messages);
  // After a question come answers, each but the last with calls, whose results follow.
  std::string expected = "user";
  for (std::size_t i = !messages.empty() && messages[0].role == "system" ? 1 : 0; i < messages.size(); ++i) {
    const text::ChatMessage& message = messages[i];
    // As many results as there were calls are not counted.
    const bool is_next_answer = message.role == "assistant" && expected == "tool" && messages[i - 1].role == "tool";
    if (message.role != expected && !is_next_answer) {
      return wrong(path,
                   fmt::format("message {} is by '{}' and should be by '{}'", i, printable(message.role), expected));
    }
    if (message.role == "user") expected = "assistant";
    if (message.role == "assistant") expected = message.tool_calls.empty() ? "user" : "tool";
  }
  if (expected != "user") return wrong(path, "the last question has no answer");
  return messages;
}

}  // namespace wisp::cli
