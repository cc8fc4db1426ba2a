#include "api/opened_model.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "text/jinja/value.h"

namespace wisp::api {
namespace {

using text::ChatMessage;
using text::jinja::Kind;
using text::jinja::Value;

constexpr std::uint32_t kMaxDepth = 64;  // of the JSON of messages

Result<std::unique_ptr<text::Tokenizer>> read_tokenizer(const gguf::Metadata& metadata) {
  if (!metadata.has("tokenizer.ggml.model")) return nullptr;
  WISP_TRY(text::Vocabulary vocabulary, text::read_vocabulary(metadata));
  return text::Tokenizer::create(std::move(vocabulary));
}

Result<std::unique_ptr<text::ChatTemplate>> read_template(const text::Tokenizer* tokenizer) {
  if (tokenizer == nullptr || tokenizer->vocabulary().chat_template.empty()) return nullptr;
  auto form = text::ChatTemplate::parse(tokenizer->vocabulary().chat_template);
  if (!form) return fail_in(std::move(form).error(), "the model's chat template");
  return std::make_unique<text::ChatTemplate>(std::move(*form));
}

// A text, or the texts of a list of parts, one after the other.
Result<std::string> read_content(const Value& message, std::size_t index) {
  const Value* const content = message.find("content");
  if (content == nullptr || content->is(Kind::none)) return std::string();
  if (content->is(Kind::string)) return std::string(content->as_text());
  if (!content->is(Kind::list)) {
    return fail(Code::invalid_argument, "messages[{}].content is neither a text nor a list", index);
  }
  std::string joined;
  for (const Value& part : content->items()) {
    const Value* const piece = part.is(Kind::dict) ? part.find("text") : nullptr;
    if (piece == nullptr || !piece->is(Kind::string)) {
      return fail(Code::unsupported,
                  "messages[{}].content has a part that is not {{\"type\": \"text\", \"text\": ...}}", index);
    }
    joined += piece->as_text();
  }
  return joined;
}

Result<std::vector<ChatMessage>> read_messages(std::string_view json) {
  auto value = text::jinja::parse_json(json, kMaxDepth);
  if (!value) return fail_in(std::move(value).error(), "the messages");
  if (!value->is(Kind::list)) return fail(Code::invalid_argument, "the messages are not a JSON array");
  std::vector<ChatMessage> messages;
  for (const Value& message : value->items()) {
    const std::size_t index = messages.size();
    const Value* const role = message.is(Kind::dict) ? message.find("role") : nullptr;
    if (role == nullptr || !role->is(Kind::string)) {
      return fail(Code::invalid_argument, "messages[{}] is not an object with a \"role\"", index);
    }
    WISP_TRY(std::string content, read_content(message, index));
    messages.push_back({std::string(role->as_text()), std::move(content)});
  }
  return messages;
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
    std::unique_ptr<gguf::ByteSource> bytes = share(source.bytes);
    WISP_TRY(model->file_, gguf::read_file(bytes));
    model->bytes_.push_back(source.bytes);
  }
  model->tokenizer_ = read_tokenizer(model->file_.metadata);
  if (model->tokenizer_) model->template_ = read_template(model->tokenizer_->get());
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
  for (const std::shared_ptr<SharedBytes>& bytes : bytes_) file.sources.push_back(share(bytes));
  return file;
}

bool OpenedModel::may_forget() const {
  return std::ranges::any_of(bytes_, [](const std::shared_ptr<SharedBytes>& bytes) { return bytes->may_forget; });
}

Result<const text::Tokenizer*> OpenedModel::tokenizer() const {
  if (!tokenizer_) return std::unexpected(tokenizer_.error());
  return tokenizer_->get();
}

Result<const text::Tokenizer*> OpenedModel::needed_tokenizer() const {
  WISP_TRY(const text::Tokenizer* known, tokenizer());
  if (known == nullptr) return fail(Code::unsupported, "this model has no vocabulary: it takes token ids only");
  return known;
}

bool OpenedModel::has_template() const { return template_ && *template_ != nullptr; }

Result<const text::ChatTemplate*> OpenedModel::form() const {
  WISP_CHECK(needed_tokenizer());
  if (!template_) return std::unexpected(template_.error());
  if (*template_ == nullptr) {
    return fail(Code::unsupported, "this model has no chat template: it was not made for conversations");
  }
  return template_->get();
}

Result<std::vector<TokenId>> OpenedModel::chat_ids(std::string_view messages, bool start_answer) const {
  WISP_TRY(const text::ChatTemplate* const known, form());
  WISP_TRY(const std::vector<ChatMessage> turns, read_messages(messages));
  return text::encode_chat(*known, **tokenizer_, turns, start_answer, std::time(nullptr));
}

Result<std::string> OpenedModel::chat_text(std::string_view messages, bool start_answer) const {
  WISP_TRY(const text::ChatTemplate* const known, form());
  WISP_TRY(const std::vector<ChatMessage> turns, read_messages(messages));
  const text::Vocabulary& vocabulary = (*tokenizer_)->vocabulary();
  const auto text_of = [&](std::optional<TokenId> id) {
    return id ? (*tokenizer_)->token_bytes(*id, true) : std::string();
  };
  return known->render_chat(turns, start_answer, text_of(vocabulary.bos), text_of(vocabulary.eos), std::time(nullptr));
}

}  // namespace wisp::api
