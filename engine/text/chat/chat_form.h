// A model's chat template with all that has to be known to use it: the shape in which it wants messages, tools and
// arguments, and how the model answers. Both are found by rendering small conversations and looking at the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat/message.h"
#include "text/chat/output_format.h"
#include "text/chat/tool_choice.h"
#include "text/chat_template.h"
#include "text/jinja/value.h"

namespace wisp::text {

struct ChatRequest {
  std::vector<ChatMessage> messages;
  std::vector<Tool> tools;
  std::string template_variables;  // a JSON object with more variables (enable_thinking, ..), or empty
  bool add_generation_prompt = true;
  ToolChoice tool_choice = {};
};

// A request as clients of OpenAI's interface send it: {"messages": [..], "tools": [..], "enable_thinking": false,
// "chat_template_kwargs": {..}}, or the list of messages alone; other members are ignored. Of a request whose
// tool_choice is "none" the model is told no tools. Code::invalid_argument names what is wrong by its path
// (messages[2].tool_calls[0]); Code::unsupported for content that is no text.
Result<ChatRequest> parse_chat_request(std::string_view json);

// What a template wants otherwise than most.
struct TemplateTraits {
  bool system_role = true;      // else the system text goes in front of the first user's
  bool tools = false;           // it tells the model about tools
  bool tool_calls = false;      // it writes calls of earlier messages
  bool text_arguments = false;  // of calls: JSON text instead of an object
  bool null_content = false;    // content none instead of "" beside calls
  bool whole_tools = false;     // fails for tools without a description or properties, which requests may leave out
  bool content_parts = false;   // [{"type": "text", "text": ..}] instead of a string
};

class ChatForm {
 public:
  // Failures as ChatTemplate::parse has them. `bos` and `eos` are texts.
  static Result<ChatForm> create(std::string_view source, std::string bos, std::string eos);

  [[nodiscard]] const ChatTemplate& form() const { return template_; }
  [[nodiscard]] const TemplateTraits& traits() const { return traits_; }
  [[nodiscard]] const OutputFormat& format() const { return format_; }

  // The variables that a request gives the template, a dict. Fails for arguments that are no JSON object.
  [[nodiscard]] Result<jinja::Value> request_values(const ChatRequest& request) const;
  // The same with those that the model gives: the texts of BOS and EOS.
  [[nodiscard]] jinja::Value with_own(jinja::Value request_values) const;

  // As text, for people. For a model: encode_chat(), which keeps what strangers wrote from becoming control tokens.
  struct Prompt {
    std::string text;
    std::string end;  // what the template wrote to make the model answer: for OutputParser::prime
  };
  [[nodiscard]] Result<Prompt> render(const ChatRequest& request, std::int64_t now_unix_seconds) const;

 private:
  ChatForm(ChatTemplate form, std::string source, std::string bos, std::string eos)
      : template_(std::move(form)), source_(std::move(source)), bos_(std::move(bos)), eos_(std::move(eos)) {}
  [[nodiscard]] Result<std::string> render_bare(const ChatRequest& request, std::int64_t now_unix_seconds) const;
  void look_at_messages();

  ChatTemplate template_;
  std::string source_, bos_, eos_;
  TemplateTraits traits_;
  OutputFormat format_;
};

// What ChatForm::create asks: the format that `form` shows when it renders calls, or that its text names.
OutputFormat find_output_format(const ChatForm& form, std::string_view source);

}  // namespace wisp::text
