#include "conversation.h"

#include <algorithm>
#include <ctime>

namespace wisp::cli {
namespace {

bool is_question(const text::ChatMessage& message) { return message.role == "user"; }

}  // namespace

Result<Conversation> Conversation::create(const text::Tokenizer& tokenizer, ConversationSetup setup) {
  if (tokenizer.vocabulary().chat_template.empty()) {
    return fail(
        Code::unsupported,
        "this model has no chat template: it was not made for conversations; `wisp run` completes text with it");
  }
  WISP_TRY(text::ChatForm form, text::chat_form_of(tokenizer));
  if (!setup.tools.empty() && (!form.traits().tools || form.format().calls.payload == text::Payload::none)) {
    return fail(Code::unsupported, "this model's chat template knows no tools, so it cannot call any");
  }
  return Conversation(tokenizer, std::move(form), std::move(setup));
}

Conversation::Conversation(const text::Tokenizer& tokenizer, text::ChatForm form, ConversationSetup setup)
    : tokenizer_(&tokenizer), form_(std::move(form)), system_(std::move(setup.system)) {
  request_.tools = std::move(setup.tools);
  request_.template_variables = std::move(setup.variables);
  reset();
}

void Conversation::reset() {
  said().clear();
  if (!system_.empty()) said().push_back({"system", system_});
}

std::string Conversation::drop_exchange() {
  const auto last = std::ranges::find_if(said().rbegin(), said().rend(), is_question);
  if (last == said().rend()) return {};
  std::string question = std::move(last->content);
  said().erase(std::prev(last.base()), said().end());
  return question;
}

void Conversation::set_system(std::string system) {
  if (!system_.empty()) said().erase(said().begin());
  system_ = std::move(system);
  if (!system_.empty()) said().insert(said().begin(), {"system", system_});
}

void Conversation::set_messages(std::vector<text::ChatMessage> given) {
  const bool has_system = !given.empty() && given.front().role == "system";
  system_ = has_system ? given.front().content : "";
  // An empty one says nothing.
  if (has_system && system_.empty()) given.erase(given.begin());
  said() = std::move(given);
}

Result<text::ChatPrompt> Conversation::encode() const {
  auto prompt = text::encode_chat(form_, *tokenizer_, request_, std::time(nullptr));
  if (prompt) return prompt;
  Error cause = std::move(prompt).error();
  // What a template raises is the file's doing; the command line was right.
  if (cause.code == Code::invalid_argument) cause.code = Code::invalid_file;
  return fail_in(std::move(cause), "the model's chat template");
}

Result<Conversation::Prompt> Conversation::prompt(std::size_t most) {
  const std::ptrdiff_t first = system_.empty() ? 0 : 1;
  Prompt made;
  while (true) {
    WISP_TRY(text::ChatPrompt encoded, encode());
    made.ids = std::move(encoded.ids);
    made.end = std::move(encoded.end);
    // A question and all that followed it together: templates want the roles to alternate.
    const auto begin = said().begin() + first;
    const auto next = begin == said().end() ? begin : std::find_if(begin + 1, said().end(), is_question);
    if (made.ids.size() <= most || next == said().end()) return made;
    made.n_forgotten += static_cast<std::size_t>(next - begin);
    said().erase(begin, next);
  }
}

}  // namespace wisp::cli
