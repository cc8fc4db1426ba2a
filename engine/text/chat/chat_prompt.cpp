#include "text/chat/chat_prompt.h"

#include <optional>
#include <utility>

#include "text/chat/prompt_marks.h"

namespace wisp::text {
namespace {

using jinja::Value;

// From the one that tells most to the one that every template takes.
constexpr MarkPlan kPlans[] = {
    {.contents = Marked::characters, .others = Marked::characters},
    {.contents = Marked::characters, .others = Marked::spellings},
    {.contents = Marked::spellings, .others = Marked::spellings},
};

}  // namespace

Result<ChatForm> chat_form_of(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  if (vocabulary.chat_template.empty()) {
    return fail(Code::unsupported, "this model has no chat template: it was not made for conversations");
  }
  const auto text_of = [&](std::optional<TokenId> id) { return id ? tokenizer.token_bytes(*id, true) : std::string(); };
  auto form = ChatForm::create(vocabulary.chat_template, text_of(vocabulary.bos), text_of(vocabulary.eos));
  if (!form) return fail_in(std::move(form).error(), "the model's chat template");
  return form;
}

Result<ChatPrompt> encode_chat(const ChatForm& form, const Tokenizer& tokenizer, const ChatRequest& request,
                               std::int64_t now_unix_seconds) {
  WISP_TRY(ChatForm::Prompt prompt, form.render(request, now_unix_seconds));
  WISP_TRY(const Value given, form.request_values(request));
  const std::optional<std::string> mark = unused_character(prompt.text, given);
  std::optional<std::vector<std::size_t>> marks;
  for (const MarkPlan& plan : kPlans) {
    if (marks || !mark) break;
    const Value variables = form.with_own(with_marks(given, plan, tokenizer, *mark));
    if (const auto again = form.form().render(variables, now_unix_seconds))
      marks = marks_in(*again, *mark, prompt.text);
  }
  if (!marks) {
    const std::optional<std::string> spelled = spelled_control(given, tokenizer);
    return fail(Code::unsupported,
                "a message spells {}, and this model's template rewrites it in a way that hides whose text that is; "
                "leave it out",
                spelled ? printable(*spelled) : "all characters of the private use area");
  }

  const Vocabulary& vocabulary = tokenizer.vocabulary();
  ChatPrompt made{.ids = {}, .end = std::move(prompt.end)};
  WISP_TRY(made.ids, tokenizer.encode(prompt.text, {.parse_special = true, .plain_ends = *marks}));
  if (vocabulary.add_bos && vocabulary.bos && (made.ids.empty() || made.ids.front() != *vocabulary.bos)) {
    made.ids.insert(made.ids.begin(), *vocabulary.bos);
  }
  return made;
}

}  // namespace wisp::text
