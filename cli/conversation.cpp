#include "conversation.h"

#include <algorithm>
#include <ctime>

#include "text/chat_prompt.h"

namespace wisp::cli {
Result<Conversation> Conversation::create(const text::Tokenizer& tokenizer, std::string system) {
  const std::string& source = tokenizer.vocabulary().chat_template;
  if (source.empty()) {
    return fail(
        Code::unsupported,
        "this model has no chat template: it was not made for conversations; `wisp run` completes text with it");
  }
  auto form = text::ChatTemplate::parse(source);
  if (!form) return fail_in(std::move(form).error(), "the model's chat template");
  return Conversation(tokenizer, std::move(*form), std::move(system));
}

Conversation::Conversation(const text::Tokenizer& tokenizer, text::ChatTemplate form, std::string system)
    : tokenizer_(&tokenizer), template_(std::move(form)), system_(std::move(system)) {
  reset();
}

void Conversation::reset() {
  messages_.clear();
  if (!system_.empty()) messages_.push_back({"system", system_});
}

std::string Conversation::drop_exchange() {
  const std::size_t first = system_.empty() ? 0 : 1;
  if (messages_.size() < first + 2) return {};
  messages_.pop_back();
  std::string question = std::move(messages_.back().content);
  messages_.pop_back();
  return question;
}

void Conversation::set_system(std::string system) {
  if (!system_.empty()) messages_.erase(messages_.begin());
  system_ = std::move(system);
  if (!system_.empty()) messages_.insert(messages_.begin(), {"system", system_});
}

void Conversation::set_messages(std::vector<text::ChatMessage> messages) {
  messages_ = std::move(messages);
  system_ = !messages_.empty() && messages_.front().role == "system" ? messages_.front().content : "";
  // An empty one says nothing.
  if (system_.empty() && !messages_.empty() && messages_.front().role == "system") messages_.erase(messages_.begin());
}

Result<std::vector<TokenId>> Conversation::encode() const {
  auto ids = text::encode_chat(template_, *tokenizer_, messages_, true, std::time(nullptr));
  if (ids) return ids;
  Error cause = std::move(ids).error();
  // What a template raises is the file's doing; the command line was right.
  if (cause.code == Code::invalid_argument) cause.code = Code::invalid_file;
  return fail_in(std::move(cause), "the model's chat template");
}

Result<Conversation::Prompt> Conversation::prompt(std::size_t most) {
  const std::size_t first = system_.empty() ? 0 : 1;
  Prompt made;
  while (true) {
    WISP_TRY(made.ids, encode());
    if (made.ids.size() <= most || messages_.size() <= first + 1) return made;
    // A question and its answer together: templates want the roles to alternate.
    const std::size_t n = std::min<std::size_t>(2, messages_.size() - first - 1);
    messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(first),
                    messages_.begin() + static_cast<std::ptrdiff_t>(first + n));
    made.n_forgotten += n;
  }
}

}  // namespace wisp::cli
