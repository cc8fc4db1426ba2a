#include "text/chat_template.h"

#include <utility>

#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace wisp::text {

using jinja::Value;

ChatTemplate::ChatTemplate(std::unique_ptr<const jinja::Template> parsed, const TemplateLimits& limits)
    : parsed_(std::move(parsed)), limits_(limits) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, TemplateLimits limits) {
  WISP_TRY(auto parsed, jinja::parse_template(source, limits.max_depth));
  return ChatTemplate(std::move(parsed), limits);
}

Result<std::string> ChatTemplate::render(const Value& variables, std::int64_t now_unix_seconds) const {
  if (!variables.is(jinja::Kind::dict))
    return fail(Code::invalid_argument, "a template's variables are a dict, not {}", jinja::type_name(variables));
  return jinja::Interpreter(*parsed_, variables, limits_, now_unix_seconds).run();
}

Result<std::string> ChatTemplate::render_chat(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                                              std::string_view bos_token, std::string_view eos_token,
                                              std::int64_t now_unix_seconds) const {
  Value turns = Value::list();
  for (const ChatMessage& message : messages) {
    Value turn = Value::dict();
    turn.set("role", Value::string(message.role));
    turn.set("content", Value::string(message.content));
    turns.append(std::move(turn));
  }
  Value variables = Value::dict();
  variables.set("messages", std::move(turns));
  variables.set("add_generation_prompt", Value::boolean(add_generation_prompt));
  variables.set("bos_token", Value::string(std::string(bos_token)));
  variables.set("eos_token", Value::string(std::string(eos_token)));
  return render(variables, now_unix_seconds);
}

}  // namespace wisp::text
