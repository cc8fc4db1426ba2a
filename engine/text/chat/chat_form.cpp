#include "text/chat/chat_form.h"

#include <algorithm>
#include <utility>

#include "text/chat/json_scanner.h"
#include "text/jinja/context.h"
#include "text/jinja/json_text.h"

namespace wisp::text {
namespace {

using jinja::Kind;
using jinja::Value;

// Also of schemas. Marks and values of templates walk them by recursion.
constexpr std::uint32_t kMaxRequestDepth = 100;

Result<std::string> json_text(const Value& value) {
  jinja::Context context(jinja::Limits{}, 0);
  return jinja::to_json(context, value, {});
}

Result<std::string> text_member(const Value& object, std::string_view key, const std::string& path) {
  const Value* value = object.find(key);
  if (value == nullptr || value->is(Kind::none)) return std::string();
  if (!value->is(Kind::string)) return fail(Code::invalid_argument, "{}.{} is not a string", path, key);
  return std::string(value->as_text());
}

Result<std::string> read_content(const Value& message, const std::string& path) {
  const Value* content = message.find("content");
  if (content == nullptr || !content->is(Kind::list)) return text_member(message, "content", path);
  std::string text;
  for (const Value& part : content->items()) {
    const Value* type = part.is(Kind::dict) ? part.find("type") : nullptr;
    if (type == nullptr || !type->is(Kind::string)) {
      return fail(Code::invalid_argument, "{}.content: each part is an object with a type", path);
    }
    if (type->as_text() != "text") {
      return fail(Code::unsupported, "{}.content: parts of type '{}' are not supported; only text is", path,
                  printable(type->as_text()));
    }
    WISP_TRY(const std::string more, text_member(part, "text", path + ".content"));
    text += more;
  }
  return text;
}

Result<ToolCall> read_call(const Value& value, const std::string& path) {
  const Value* function = value.is(Kind::dict) ? value.find("function") : nullptr;
  if (function == nullptr || !function->is(Kind::dict)) {
    return fail(Code::invalid_argument, "{} has no object \"function\"", path);
  }
  ToolCall call;
  WISP_TRY(call.id, text_member(value, "id", path));
  WISP_TRY(call.name, text_member(*function, "name", path + ".function"));
  if (call.name.empty()) return fail(Code::invalid_argument, "{}.function has no name", path);
  const Value* arguments = function->find("arguments");
  if (arguments != nullptr && arguments->is(Kind::dict)) {
    WISP_TRY(call.arguments, json_text(*arguments));
    return call;
  }
  WISP_TRY(call.arguments, text_member(*function, "arguments", path + ".function"));
  if (call.arguments.empty()) call.arguments = "{}";
  const auto parsed = jinja::parse_json(call.arguments);
  if (!parsed || !parsed->is(Kind::dict)) {
    return fail(Code::invalid_argument, "{}.function.arguments is not the text of a JSON object", path);
  }
  return call;
}

Result<ChatMessage> read_message(const Value& value, const std::string& path) {
  if (!value.is(Kind::dict)) return fail(Code::invalid_argument, "{} is not an object", path);
  ChatMessage message;
  WISP_TRY(message.role, text_member(value, "role", path));
  if (message.role.empty()) return fail(Code::invalid_argument, "{} has no role", path);
  WISP_TRY(message.content, read_content(value, path));
  WISP_TRY(message.reasoning, text_member(value, "reasoning_content", path));
  if (message.reasoning.empty()) {
    WISP_TRY(message.reasoning, text_member(value, "reasoning", path));
  }
  WISP_TRY(message.tool_call_id, text_member(value, "tool_call_id", path));
  WISP_TRY(message.name, text_member(value, "name", path));
  const Value* calls = value.find("tool_calls");
  if (calls == nullptr || calls->is(Kind::none)) return message;
  if (!calls->is(Kind::list)) return fail(Code::invalid_argument, "{}.tool_calls is not a list", path);
  for (const Value& call : calls->items()) {
    WISP_TRY(ToolCall read, read_call(call, fmt::format("{}.tool_calls[{}]", path, message.tool_calls.size())));
    message.tool_calls.push_back(std::move(read));
  }
  return message;
}

Result<Tool> read_tool(const Value& value, const std::string& path) {
  const Value* function = value.is(Kind::dict) ? value.find("function") : nullptr;
  if (function == nullptr || !function->is(Kind::dict)) {
    return fail(Code::invalid_argument, "{} has no object \"function\"", path);
  }
  Tool tool;
  WISP_TRY(tool.name, text_member(*function, "name", path + ".function"));
  if (tool.name.empty()) return fail(Code::invalid_argument, "{}.function has no name", path);
  WISP_TRY(tool.definition, json_text(value));
  return tool;
}

// With what a function may lack in a request, and not in some templates.
void make_whole(const Value& definition) {
  const Value* found = definition.is(Kind::dict) ? definition.find("function") : nullptr;
  if (found == nullptr || !found->is(Kind::dict)) return;
  const auto lacks = [](const Value& object, std::string_view key) {
    const Value* value = object.find(key);
    return value == nullptr || value->is(Kind::none);
  };
  Value function = *found;
  if (lacks(function, "description")) function.set("description", Value::string(""));
  if (lacks(function, "parameters")) function.set("parameters", Value::dict());
  Value parameters = *function.find("parameters");
  if (!parameters.is(Kind::dict)) return;
  if (lacks(parameters, "type")) parameters.set("type", Value::string("object"));
  if (lacks(parameters, "properties")) parameters.set("properties", Value::dict());
}

std::string role_of(const ChatMessage& message, std::string_view source) {
  // OpenAI's newer name, which few templates know.
  const bool unknown = message.role == "developer" && source.find("developer") == std::string_view::npos;
  return unknown ? "system" : message.role;
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view json) {
  WISP_TRY(Value request, jinja::parse_json(json, kMaxRequestDepth));
  if (request.is(Kind::list)) {
    Value messages = std::exchange(request, Value::dict());
    request.set("messages", std::move(messages));
  }
  const Value* messages = request.is(Kind::dict) ? request.find("messages") : nullptr;
  if (messages == nullptr || !messages->is(Kind::list)) {
    return fail(Code::invalid_argument, "a request is one JSON object with a list \"messages\"");
  }
  ChatRequest made;
  for (const Value& value : messages->items()) {
    WISP_TRY(ChatMessage message, read_message(value, fmt::format("messages[{}]", made.messages.size())));
    made.messages.push_back(std::move(message));
  }
  if (const Value* tools = request.find("tools"); tools != nullptr && !tools->is(Kind::none)) {
    if (!tools->is(Kind::list)) return fail(Code::invalid_argument, "tools is not a list");
    for (const Value& value : tools->items()) {
      WISP_TRY(Tool tool, read_tool(value, fmt::format("tools[{}]", made.tools.size())));
      made.tools.push_back(std::move(tool));
    }
  }
  WISP_TRY(made.tool_choice, parse_tool_choice(json));
  if (!made.tool_choice.calls) made.tools.clear();
  Value variables = Value::dict();
  if (const Value* more = request.find("chat_template_kwargs"); more != nullptr && more->is(Kind::dict)) {
    for (const auto& [key, value] : more->as_dict()->entries()) variables.set(key.as_text(), value);
  }
  for (const std::string_view key : {"enable_thinking", "reasoning_effort"}) {
    if (const Value* value = request.find(key)) variables.set(key, *value);
  }
  WISP_TRY(made.template_variables, json_text(variables));
  if (const Value* add = request.find("add_generation_prompt"); add != nullptr && add->is(Kind::boolean)) {
    made.add_generation_prompt = add->as_boolean();
  }
  return made;
}

Result<Value> ChatForm::request_values(const ChatRequest& request) const {
  const auto content_value = [&](const std::string& text) {
    if (!traits_.content_parts) return Value::string(text);
    Value part = Value::dict();
    part.set("type", Value::string("text"));
    part.set("text", Value::string(text));
    return Value::list({part});
  };
  Value turns = Value::list();
  std::string system;
  std::vector<std::pair<std::string, std::string>> names;  // of calls, by id
  for (const ChatMessage& message : request.messages) {
    const std::string role = role_of(message, source_);
    if (!traits_.system_role && role == "system") {
      system += message.content + "\n\n";
      continue;
    }
    Value turn = Value::dict();
    turn.set("role", Value::string(role));
    const bool moved = role == "user" && !system.empty();
    const std::string content = moved ? std::exchange(system, {}) + message.content : message.content;
    const bool null = traits_.null_content && content.empty() && !message.tool_calls.empty();
    turn.set("content", null ? Value::none() : content_value(content));
    if (!message.reasoning.empty()) turn.set("reasoning_content", Value::string(message.reasoning));
    if (!message.tool_calls.empty()) {
      Value calls = Value::list();
      for (const ToolCall& call : message.tool_calls) {
        Value function = Value::dict();
        function.set("name", Value::string(call.name));
        WISP_TRY(Value arguments, jinja::parse_json(call.arguments.empty() ? "{}" : call.arguments));
        if (!arguments.is(Kind::dict)) {
          return fail(Code::invalid_argument, "the arguments of a call of '{}' are not a JSON object",
                      printable(call.name));
        }
        if (traits_.text_arguments) {
          WISP_TRY(std::string text, json_text(arguments));
          arguments = Value::string(std::move(text));
        }
        function.set("arguments", std::move(arguments));
        Value value = Value::dict();
        value.set("id", Value::string(call.id));
        value.set("type", Value::string("function"));
        value.set("function", std::move(function));
        calls.append(std::move(value));
        names.emplace_back(call.id, call.name);
      }
      turn.set("tool_calls", std::move(calls));
    }
    if (!message.tool_call_id.empty()) turn.set("tool_call_id", Value::string(message.tool_call_id));
    std::string name = message.name;
    if (name.empty() && role == "tool") {
      const auto call = std::find_if(names.rbegin(), names.rend(),
                                     [&](const auto& entry) { return entry.first == message.tool_call_id; });
      if (call != names.rend()) name = call->second;
    }
    if (!name.empty()) turn.set("name", Value::string(std::move(name)));
    turns.append(std::move(turn));
  }
  Value made = Value::dict();
  if (!request.template_variables.empty()) {
    WISP_TRY(made, jinja::parse_json(request.template_variables));
    if (!made.is(Kind::dict)) return fail(Code::invalid_argument, "a template's variables are a JSON object");
  }
  made.set("messages", std::move(turns));
  made.set("add_generation_prompt", Value::boolean(request.add_generation_prompt));
  // What Fireworks' template takes instead of tools.
  const bool wants_text =
      source_.find("functions") != std::string::npos && source_.find("datetime") != std::string::npos;
  if (!request.tools.empty() || wants_text) {
    Value tools = Value::list();
    for (const Tool& tool : request.tools) {
      WISP_TRY(Value definition, jinja::parse_json(tool.definition));
      if (traits_.whole_tools) make_whole(definition);
      tools.append(std::move(definition));
    }
    if (wants_text) {
      WISP_TRY(std::string text, json_text(tools));
      made.set("functions", Value::string(request.tools.empty() ? "" : std::move(text)));
      if (made.find("datetime") == nullptr) made.set("datetime", Value::string(""));
    }
    if (!request.tools.empty()) made.set("tools", std::move(tools));
  }
  return made;
}

Value ChatForm::with_own(Value request_values) const {
  request_values.set("bos_token", Value::string(bos_));
  request_values.set("eos_token", Value::string(eos_));
  return request_values;
}

Result<std::string> ChatForm::render_bare(const ChatRequest& request, std::int64_t now_unix_seconds) const {
  WISP_TRY(Value given, request_values(request));
  return template_.render(with_own(std::move(given)), now_unix_seconds);
}

Result<ChatForm::Prompt> ChatForm::render(const ChatRequest& request, std::int64_t now_unix_seconds) const {
  Prompt prompt;
  WISP_TRY(prompt.text, render_bare(request, now_unix_seconds));
  if (!request.add_generation_prompt) return prompt;
  ChatRequest without = request;
  without.add_generation_prompt = false;
  std::size_t common = 0;
  if (const auto bare = render_bare(without, now_unix_seconds)) {
    const auto [a, b] = std::mismatch(prompt.text.begin(), prompt.text.end(), bare->begin(), bare->end());
    common = static_cast<std::size_t>(a - prompt.text.begin());
  }
  // Templates that always ask for an answer: what stands behind the last message.
  if (common == prompt.text.size() && !request.messages.empty()) {
    const std::string& last = request.messages.back().content;
    const std::size_t at = last.empty() ? std::string::npos : prompt.text.rfind(last);
    common = at == std::string::npos ? prompt.text.size() : at + last.size();
  }
  prompt.end = prompt.text.substr(common);
  return prompt;
}

void ChatForm::look_at_messages() {
  const auto shows = [&](const ChatRequest& request, std::string_view text) {
    const auto rendered = render_bare(request, 0);
    return rendered && rendered->find(text) != std::string::npos;
  };
  const ChatMessage user{"user", "wisp asks"};
  if (!shows({{user}, {}, {}}, "wisp asks")) {
    traits_.content_parts = true;
    if (!shows({{user}, {}, {}}, "wisp asks")) traits_.content_parts = false;
  }
  traits_.system_role = shows({{{"system", "wisp rules"}, user}, {}, {}}, "wisp rules");
  const Tool tool{
      "wisp_tool",
      R"({"type": "function", "function": {"name": "wisp_tool", "description": "wisp explains",)"
      R"( "parameters": {"type": "object", "properties": {"wisp_a": {"type": "string", "description": "a"}},)"
      R"( "required": ["wisp_a"]}}})"};
  traits_.tools = shows({{user}, {tool}, {}}, "wisp_tool");
  const auto takes = [&](std::string_view more) {
    const std::string bare = fmt::format(R"({{"type": "function", "function": {{"name": "wisp_tool"{}}}}})", more);
    return shows({{user}, {{"wisp_tool", bare}}, {}}, "wisp_tool");
  };
  traits_.whole_tools = traits_.tools && !(takes("") && takes(R"(, "parameters": {"type": "object"})") &&
                                           takes(R"(, "description": null, "parameters": null)"));
  const ChatMessage call{
      .role = "assistant", .content = "", .tool_calls = {{"wispid001", "wisp_tool", R"({"wisp_a": "wisp va"})"}}};
  // An object that was printed as Python, or text that was quoted once more, is not what a model would write.
  for (const bool null : {false, true}) {
    for (const bool text : {false, true}) {
      traits_.null_content = null;
      traits_.text_arguments = text;
      const ChatRequest request{{user, call}, {tool}, {}, false};
      const auto rendered = render_bare(request, 0);
      if (!rendered) continue;
      const std::string turn = rendered->substr(std::min(rendered->rfind("wisp asks"), rendered->size()));
      const auto has = [&](std::string_view part) { return turn.find(part) != std::string::npos; };
      if (has("wisp va") && !has(R"(\"wisp_a\")") && !has("'wisp_a'")) {
        traits_.tool_calls = true;
        return;
      }
    }
  }
  traits_.null_content = traits_.text_arguments = false;
}

Result<ChatForm> ChatForm::create(std::string_view source, std::string bos, std::string eos) {
  WISP_TRY(ChatTemplate parsed, ChatTemplate::parse(source));
  ChatForm made(std::move(parsed), std::string(source), std::move(bos), std::move(eos));
  made.look_at_messages();
  made.format_ = find_output_format(made, made.source_);
  return made;
}

}  // namespace wisp::text
