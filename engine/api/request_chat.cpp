#include "api/request_chat.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/buffer.h"

namespace wisp::api {
namespace {

using text::jinja::Kind;
using text::jinja::Value;

constexpr std::string_view kMembers[] = {"messages",
                                         "tools",
                                         "tool_choice",
                                         "parallel_tool_calls",
                                         "enable_thinking",
                                         "reasoning_effort",
                                         "chat_template_kwargs"};

std::string members_json(const RequestChoice& choice, bool with_messages) {
  std::string text = "{";
  for (const auto& [name, value] : choice.chat) {
    const std::string_view json = with_messages || name != "messages" ? std::string_view(value) : "[]";
    text += fmt::format("{}\"{}\": {}", text.size() > 1 ? ", " : "", name, json);
  }
  return text + "}";
}

}  // namespace

bool is_chat_member(std::string_view name) { return std::ranges::find(kMembers, name) != std::end(kMembers); }

Status set_chat_member(RequestChoice& choice, std::string_view name, const Value& value) {
  WISP_TRY(std::string text, json_of(value));
  choice.chat.insert_or_assign(std::string(name), std::move(text));
  if (name == "messages") {
    choice.prompt = RequestChoice::Prompt::chat;
    choice.request.prompt.clear();
  }
  return {};
}

Status set_chat(RequestChoice& choice, std::string_view json) {
  auto value = text::jinja::parse_json(json);
  if (!value) return fail_in(std::move(value).error(), "the messages");
  if (value->is(Kind::list)) return set_chat_member(choice, "messages", *value);
  if (!value->is(Kind::dict) || value->find("messages") == nullptr) {
    return fail(Code::invalid_argument, "the messages are neither a JSON array nor an object with \"messages\"");
  }
  choice.chat.clear();
  for (const auto& [key, item] : value->as_dict()->entries()) {
    if (is_chat_member(key.as_text())) WISP_CHECK(set_chat_member(choice, key.as_text(), item));
  }
  return {};
}

std::string chat_json(const RequestChoice& choice) { return members_json(choice, true); }

std::string chat_json_without_messages(const RequestChoice& choice) { return members_json(choice, false); }

}  // namespace wisp::api
