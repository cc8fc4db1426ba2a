// A chat template: messages in, prompt text out, through the Jinja engine in text/jinja/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/value.h"

namespace wisp::text {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", "tool"
  std::string content;
};

// Bounds on what a template from an untrusted file may do; a template that passes one fails with Code::limit.
struct TemplateLimits {
  std::uint64_t max_steps = 10'000'000;          // evaluated nodes
  std::uint32_t max_depth = 200;                 // nesting of calls and expressions
  std::uint64_t max_output_bytes = 64u << 20;
};

class ChatTemplate {
 public:
  // Code::invalid_file with line and column when the template does not parse.
  static Result<ChatTemplate> parse(std::string source, TemplateLimits limits = {});
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // Renders with exactly these variables defined (an object), nothing added. `now_unix_seconds` is what strftime_now
  // formats, in UTC. raise_exception(text) in the template gives Code::invalid_argument with that text.
  Result<std::string> render(const jinja::Value& variables, std::int64_t now_unix_seconds) const;
  // The usual call: messages, add_generation_prompt, bos_token and eos_token.
  Result<std::string> render_chat(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                                  std::string_view bos_token, std::string_view eos_token,
                                  std::int64_t now_unix_seconds) const;

 private:
  struct Parsed;
  explicit ChatTemplate(std::unique_ptr<Parsed> parsed);
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace wisp::text
