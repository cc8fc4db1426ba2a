#include "conversation_file.h"

#include "arguments.h"
#include "json.h"
#include "output.h"
#include "private_file.h"

namespace wisp::cli {
namespace {

std::unexpected<Error> wrong(const std::string& path, const std::string& what) {
  return fail(Code::invalid_file, "{} is not a saved conversation: {}", printable(path, 400), what);
}

}  // namespace

Status save_conversation(const std::string& path, const std::vector<text::ChatMessage>& messages) {
  Json list = Json::array();
  for (const text::ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  const std::string text = Json({{"messages", list}}).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return write_private_file(path, std::as_bytes(std::span(text)));
}

Result<std::vector<text::ChatMessage>> load_conversation(const std::string& path) {
  WISP_TRY(const std::string text, read_text_file(path));
  const Json parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("messages") || !parsed["messages"].is_array()) {
    return wrong(path, "it has no list of messages");
  }
  std::vector<text::ChatMessage> messages;
  for (const Json& one : parsed["messages"]) {
    const auto text_of = [&](const char* key) {
      const auto found = one.is_object() ? one.find(key) : one.end();
      return found != one.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
    };
    const auto role = text_of("role"), content = text_of("content");
    if (!role || !content) return wrong(path, fmt::format("message {} lacks a role or a content", messages.size()));
    messages.push_back({*role, *content});
  }
  const std::size_t first = !messages.empty() && messages[0].role == "system" ? 1 : 0;
  for (std::size_t i = first; i < messages.size(); ++i) {
    const std::string_view expected = (i - first) % 2 == 0 ? "user" : "assistant";
    if (messages[i].role != expected) {
      return wrong(
          path, fmt::format("message {} is by '{}' and should be by '{}'", i, printable(messages[i].role), expected));
    }
  }
  if ((messages.size() - first) % 2 != 0) return wrong(path, "the last question has no answer");
  return messages;
}

}  // namespace wisp::cli
