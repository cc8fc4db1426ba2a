// A wisp_model: one header, its vocabulary and its template, for any number of threads and engines.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "api/handle.h"
#include "api/source.h"
#include "gguf/reader.h"
#include "text/chat/answer_grammar.h"
#include "text/chat/chat_prompt.h"
#include "text/chat/output_parser.h"
#include "text/tokenizer.h"

namespace wisp::api {

class OpenedModel {
 public:
  static Result<std::shared_ptr<const OpenedModel>> open(const wisp_source& source);

  [[nodiscard]] const gguf::File& file() const { return file_; }
  // One more file that reads the same bytes.
  [[nodiscard]] gguf::File share_file() const;

  // What it reads may be gone later.
  [[nodiscard]] bool may_forget() const;

  // nullptr where the file holds none; the error where it holds one that cannot be used.
  [[nodiscard]] Result<const text::Tokenizer*> tokenizer() const;
  // The same where text is needed: then there has to be one.
  [[nodiscard]] Result<const text::Tokenizer*> needed_tokenizer() const;

  [[nodiscard]] bool has_template() const;
  [[nodiscard]] Result<const text::ChatForm*> chat_form() const;
  // `request` as wisp_model_chat_prompt() takes it: a list of messages, or an object with them and tools.
  [[nodiscard]] Result<text::ChatPrompt> chat_prompt(std::string_view request, bool start_answer) const;
  [[nodiscard]] Result<std::string> chat_text(std::string_view request, bool start_answer) const;
  // What its answer has to obey, of the prompt that was made of it; nothing where it is free.
  [[nodiscard]] Result<std::optional<text::CompiledAnswer>> answer_grammar(
      std::string_view request, std::string_view prompt_end, const std::optional<text::AnswerForm>& form) const;
  // For the answer to it.
  [[nodiscard]] Result<text::OutputParser> answer_parser(std::string_view request) const;

 private:
  OpenedModel() = default;

  gguf::File file_;
  std::vector<std::shared_ptr<SharedBytes>> bytes_;  // of file_.sources, where they are files
  std::shared_ptr<SharedBytes> joined_;              // of all of them, where they are not
  Result<std::unique_ptr<text::Tokenizer>> tokenizer_ = nullptr;
  Result<std::unique_ptr<text::ChatForm>> form_ = nullptr;
};

}  // namespace wisp::api

struct wisp_model : wisp::api::Tagged<wisp::api::Tag::model> {
  std::shared_ptr<const wisp::api::OpenedModel> opened;
};
