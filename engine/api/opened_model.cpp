#include "api/opened_model.h"

#include <algorithm>
#include <ctime>
#include <span>
#include <utility>

#include "base/hash64.h"

namespace wisp::api {
namespace {

Result<std::unique_ptr<text::Tokenizer>> read_tokenizer(const gguf::Metadata& metadata) {
  if (!metadata.has("tokenizer.ggml.model")) return nullptr;
  WISP_TRY(text::Vocabulary vocabulary, text::read_vocabulary(metadata));
  return text::Tokenizer::create(std::move(vocabulary));
}

Result<std::unique_ptr<text::ChatForm>> read_form(const text::Tokenizer* tokenizer) {
  if (tokenizer == nullptr || tokenizer->vocabulary().chat_template.empty()) return nullptr;
  WISP_TRY(text::ChatForm form, text::chat_form_of(*tokenizer));
  return std::make_unique<text::ChatForm>(std::move(form));
}

Result<text::ChatRequest> read_chat(std::string_view json, bool start_answer) {
  auto request = text::parse_chat_request(json);
  if (!request) return fail_in(std::move(request).error(), "the messages");
  request->add_generation_prompt = start_answer;
  return request;
}

// Whether what is said has to have a form. The request can be read: it was before.
bool asks_for_form(std::string_view request) {
  const auto value = text::jinja::parse_json(request);
  if (!value || !value->is(text::jinja::Kind::dict)) return false;
  return value->find("json_schema") != nullptr || value->find("regex") != nullptr;
}

}  // namespace

Result<std::shared_ptr<const OpenedModel>> OpenedModel::open(const wisp_source& source) {
  const std::shared_ptr<OpenedModel> model(new OpenedModel());
  if (source.bytes == nullptr) {
    WISP_TRY(model->file_, gguf::open_model(source.path));
    for (std::unique_ptr<gguf::ByteSource>& part : model->file_.sources) {
      auto bytes = std::make_shared<SharedBytes>();
      bytes->source = std::move(part);
      model->bytes_.push_back(bytes);
      part = share(std::move(bytes));
    }
  } else {
    std::vector<gguf::File> parts;
    for (std::unique_ptr<gguf::ByteSource>& part : share_parts(source.bytes)) {
      WISP_TRY(gguf::File file, gguf::read_file(part));
      parts.push_back(std::move(file));
    }
    WISP_TRY(model->file_, gguf::join_parts(std::move(parts)));
    model->joined_ = source.bytes;
    source.bytes->opened = true;
  }
  model->tokenizer_ = read_tokenizer(model->file_.metadata);
  if (model->tokenizer_) model->form_ = read_form(model->tokenizer_->get());
  return model;
}

gguf::File OpenedModel::share_file() const {
  gguf::File file;
  file.version = file_.version;
  file.alignment = file_.alignment;
  file.metadata = file_.metadata;
  file.tensors = file_.tensors;
  file.by_name = file_.by_name;
  file.header_bytes = file_.header_bytes;
  if (joined_ != nullptr) file.sources = share_parts(joined_);
  for (const std::shared_ptr<SharedBytes>& bytes : bytes_) file.sources.push_back(share(bytes));
  return file;
}

bool OpenedModel::may_forget() const { return joined_ != nullptr && joined_->may_forget; }

Result<const text::Tokenizer*> OpenedModel::tokenizer() const {
  if (!tokenizer_) return std::unexpected(tokenizer_.error());
  return tokenizer_->get();
}

Result<const text::Tokenizer*> OpenedModel::needed_tokenizer() const {
  WISP_TRY(const text::Tokenizer* known, tokenizer());
  if (known == nullptr) return fail(Code::unsupported, "this model has no vocabulary: it takes token ids only");
  return known;
}

bool OpenedModel::has_template() const { return form_ && *form_ != nullptr; }

Result<const text::ChatForm*> OpenedModel::chat_form() const {
  WISP_CHECK(needed_tokenizer());
  if (!form_) return std::unexpected(form_.error());
  if (*form_ == nullptr) {
    return fail(Code::unsupported, "this model has no chat template: it was not made for conversations");
  }
  return form_->get();
}

Result<text::ChatPrompt> OpenedModel::chat_prompt(std::string_view request, bool start_answer) const {
  WISP_TRY(const text::ChatForm* const form, chat_form());
  WISP_TRY(const text::ChatRequest read, read_chat(request, start_answer));
  return text::encode_chat(*form, **tokenizer_, read, std::time(nullptr));
}

Result<std::string> OpenedModel::chat_text(std::string_view request, bool start_answer) const {
  WISP_TRY(const text::ChatForm* const form, chat_form());
  WISP_TRY(const text::ChatRequest read, read_chat(request, start_answer));
  WISP_TRY(text::ChatForm::Prompt prompt, form->render(read, std::time(nullptr)));
  return std::move(prompt.text);
}

Result<std::optional<text::CompiledAnswer>> OpenedModel::answer_grammar(
    std::string_view request, std::string_view prompt_end, const std::optional<text::AnswerForm>& form) const {
  WISP_TRY(const text::ChatForm* const chat, chat_form());
  WISP_TRY(const text::ChatRequest read, read_chat(request, true));
  return text::compile_answer(chat->format(), read.tools, read.tool_choice, prompt_end, **tokenizer_, form);
}

Result<text::OutputParser> OpenedModel::answer_parser(std::string_view request) const {
  WISP_TRY(const text::ChatForm* const form, chat_form());
  WISP_TRY(const text::ChatRequest read, read_chat(request, true));
  WISP_TRY(const text::ChatForm::Prompt prompt, form->render(read, std::time(nullptr)));
  // The next turn's calls must not have the ids of this one's, nor those of another answer drawn by another seed.
  text::OutputParser parser(form->format(), read.tools,
                            {.calls = !read.tools.empty(),
                             .id_seed = hash64(std::as_bytes(std::span(request))),
                             .formed = asks_for_form(request)});
  parser.prime(prompt.end);
  return parser;
}

}  // namespace wisp::api
