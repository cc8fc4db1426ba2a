// The functions of wisp.h on a wisp_model.
#include <cmath>
#include <optional>
#include <utility>

#include "api/buffer.h"
#include "api/memory_estimate.h"
#include "api/opened_model.h"
#include "api/options.h"
#include "model/model.h"

using wisp::Code;
using wisp::fail;
using wisp::Result;
using wisp::Status;
using wisp::TokenId;

namespace wisp::api {
namespace {

using text::jinja::Value;

Value json_real(double number) { return std::isfinite(number) ? Value::real(number) : Value::none(); }

Value value_of(const gguf::Value& value) {
  return std::visit(
      [](const auto& data) -> Value {
        using Data = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<Data, bool>)
          return Value::boolean(data);
        else if constexpr (std::is_same_v<Data, std::uint64_t>)
          return json_count(data);
        else if constexpr (std::is_same_v<Data, std::int64_t>)
          return Value::integer(data);
        else if constexpr (std::is_same_v<Data, double>)
          return json_real(data);
        else if constexpr (std::is_same_v<Data, std::string>)
          return json_text(data);
        else {
          std::vector<Value> items;
          if (data == nullptr) return Value::list();
          items.reserve(data->size());
          for (const std::string& text : data->strings) items.push_back(json_text(text));
          for (const std::int64_t number : data->integers) {
            items.push_back(data->element == gguf::ValueType::boolean ? Value::boolean(number != 0)
                                                                      : Value::integer(number));
          }
          for (const double number : data->floats) items.push_back(json_real(number));
          return Value::list(std::move(items));
        }
      },
      value.data);
}

Value text_or_null(const gguf::Metadata& metadata, std::string_view key) {
  const auto text = metadata.text(key);
  return text ? json_text(*text) : Value::none();
}

Value description(const OpenedModel& opened) {
  const gguf::File& file = opened.file();
  Value made = Value::dict();
  made.set("architecture", text_or_null(file.metadata, "general.architecture"));
  made.set("name", text_or_null(file.metadata, "general.name"));
  const auto model = model::Model::from_file(file, {});
  made.set("supported", Value::boolean(model.has_value()));
  if (model) {
    const model::Hyperparameters& hyper = model->hyperparameters();
    made.set("layers", json_count(hyper.layers));
    made.set("d_model", json_count(hyper.d_model));
    made.set("context", json_count(hyper.trained_context));
    made.set("vocabulary", json_count(model->graph().vocabulary));
    made.set("parameters", json_count(model->parameters()));
  }
  made.set("tensors", json_count(file.tensors.size()));
  made.set("tensor_bytes", json_count(file.total_tensor_bytes()));
  const auto tokenizer = opened.tokenizer();
  const bool usable = tokenizer && *tokenizer != nullptr;
  made.set("tokenizer", usable ? text_or_null(file.metadata, "tokenizer.ggml.model") : Value::none());
  made.set("chat_template", Value::boolean(opened.has_template()));
  Value keys = Value::list();
  for (const auto& [key, value] : file.metadata.entries()) keys.append(json_text(key));
  made.set("keys", std::move(keys));
  return made;
}

}  // namespace

}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_model* wisp_model_open(wisp_source* source, wisp_error* error) {
  return answer_handle(error, [&]() -> Result<std::unique_ptr<wisp_model>> {
    WISP_CHECK(check(source, "the source"));
    if (source->bytes && source->bytes->lock.is_mine()) {
      return fail(Code::invalid_argument, "a reader opened the model that it reads");
    }
    auto made = std::make_unique<wisp_model>();
    WISP_TRY(made->opened, OpenedModel::open(*source));
    return made;
  });
}

wisp_model* wisp_model_open_file(const char* path, wisp_error* error) {
  wisp_source* const source = wisp_source_from_file(path, error);
  if (source == nullptr) return nullptr;
  wisp_model* const model = wisp_model_open(source, error);
  wisp_source_destroy(source);
  return model;
}

void wisp_model_destroy(wisp_model* model) { destroy(model); }

wisp_status wisp_model_describe(const wisp_model* model, wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    return fill_json(out, description(*model->opened));
  });
}

wisp_status wisp_model_metadata(const wisp_model* model, const char* key, size_t key_length, wisp_buffer* out,
                                wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_TRY(const std::string_view name, text_argument("the key", key, key_length));
    const wisp::gguf::Value* const value = model->opened->file().metadata.find(name);
    if (value == nullptr) return fail(Code::not_found, "the model has no metadata '{}'", wisp::printable(name));
    return fill_json(out, value_of(*value));
  });
}

int wisp_model_has_chat_template(const wisp_model* model) {
  return is_valid(model) && model->opened->has_template() ? 1 : 0;
}

wisp_status wisp_model_memory(const wisp_model* model, const wisp_options* options, wisp_buffer* out,
                              wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_TRY(const std::unique_ptr<EngineChoice> choice, choice_of(options));
    WISP_TRY(const MemoryEstimate needs,
             estimate_memory(model->opened->file(), choice->engine, choice->threads, choice->repack));
    Value made = Value::dict();
    made.set("weights", json_count(needs.weights));
    made.set("kv", json_count(needs.kv));
    made.set("activations", json_count(needs.activations));
    made.set("vocabulary", json_count(needs.vocabulary));
    made.set("total", json_count(needs.total()));
    made.set("in_place", json_count(needs.in_place));
    made.set("context", json_count(needs.context));
    return fill_json(out, made);
  });
}

wisp_status wisp_model_fit(const wisp_model* model, const wisp_options* options, uint64_t bytes, uint32_t* context,
                           wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_TRY(const std::unique_ptr<EngineChoice> choice, choice_of(options));
    if (context == nullptr) return fail(Code::invalid_argument, "there is nowhere to put the context");
    const wisp::gguf::File& file = model->opened->file();
    WISP_TRY(const wisp::model::Hyperparameters hyper, wisp::model::read_hyperparameters(file));
    WISP_TRY(*context,
             largest_context(file, choice->engine, choice->threads, choice->repack, hyper.trained_context, bytes));
    return {};
  });
}

wisp_status wisp_model_tokenize(const wisp_model* model, const char* text, size_t length, uint32_t flags,
                                wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_CHECK(check_flags(flags, WISP_ADD_SPECIAL | WISP_PARSE_SPECIAL));
    WISP_TRY(const std::string_view read, text_argument("the text", text, length));
    WISP_TRY(const wisp::text::Tokenizer* const tokenizer, model->opened->needed_tokenizer());
    WISP_TRY(const std::vector<TokenId> ids,
             tokenizer->encode(read, {.add_special = (flags & WISP_ADD_SPECIAL) != 0,
                                      .parse_special = (flags & WISP_PARSE_SPECIAL) != 0}));
    return fill(out, std::span<const TokenId>(ids));
  });
}

wisp_status wisp_model_detokenize(const wisp_model* model, const int32_t* ids, size_t count, uint32_t flags,
                                  wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_CHECK(check_flags(flags, WISP_HIDE_SPECIAL));
    WISP_TRY(const std::span<const TokenId> read, ids_argument("the ids", ids, count));
    WISP_TRY(const wisp::text::Tokenizer* const tokenizer, model->opened->needed_tokenizer());
    std::string text;
    for (std::size_t i = 0; i < read.size(); ++i) {
      if (read[i] < 0 || read[i] >= tokenizer->vocabulary().size()) {
        return fail(Code::invalid_argument, "id {} is {}; the vocabulary has 0 to {}", i, read[i],
                    tokenizer->vocabulary().size() - 1);
      }
      text += tokenizer->token_bytes(read[i], (flags & WISP_HIDE_SPECIAL) == 0);
      if (text.size() > wisp::text::kMaxTextBytes) return fail(Code::limit, "the text of these ids is too long");
    }
    return fill(out, text);
  });
}

wisp_status wisp_model_chat_prompt(const wisp_model* model, const char* messages, size_t length, uint32_t flags,
                                   wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_CHECK(check_flags(flags, WISP_NO_ANSWER_PROMPT));
    WISP_TRY(const std::string_view json, text_argument("the messages", messages, length));
    WISP_TRY(const auto prompt, model->opened->chat_prompt(json, (flags & WISP_NO_ANSWER_PROMPT) == 0));
    return fill(out, std::span<const TokenId>(prompt.ids));
  });
}

wisp_status wisp_model_chat_text(const wisp_model* model, const char* messages, size_t length, uint32_t flags,
                                 wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(model, "the model"));
    WISP_CHECK(check_flags(flags, WISP_NO_ANSWER_PROMPT));
    WISP_TRY(const std::string_view json, text_argument("the messages", messages, length));
    WISP_TRY(const std::string text, model->opened->chat_text(json, (flags & WISP_NO_ANSWER_PROMPT) == 0));
    return fill(out, text);
  });
}

}  // extern "C"
