// A chat template: messages in, prompt text out, through the Jinja engine in text/jinja/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat/message.h"
#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace wisp::text {

namespace jinja {
struct Template;
}

using TemplateLimits = jinja::Limits;

class ChatTemplate {
 public:
  // Code::invalid_file with line and column when the template does not parse; Code::limit when it nests too deep.
  static Result<ChatTemplate> parse(std::string_view source, TemplateLimits limits = {});
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // Renders with exactly these variables defined (a dict), nothing added. `now_unix_seconds` is what strftime_now
  // formats, in UTC. Failures name line and column: Code::invalid_argument for what the template does wrong or refuses
  // itself (raise_exception), Code::limit when it wants more than the limits. Safe from several threads at once, as
  // long as each has variables of its own: Values are not shared between threads.
  Result<std::string> render(const jinja::Value& variables, std::int64_t now_unix_seconds) const;
  // The usual call: messages, add_generation_prompt, bos_token and eos_token.
  Result<std::string> render_chat(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                                  std::string_view bos_token, std::string_view eos_token,
                                  std::int64_t now_unix_seconds) const;

 private:
  ChatTemplate(std::unique_ptr<const jinja::Template> parsed, const TemplateLimits& limits);
  std::unique_ptr<const jinja::Template> parsed_;
  TemplateLimits limits_;
};

}  // namespace wisp::text
