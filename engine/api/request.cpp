#include "api/request.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "api/buffer.h"
#include "api/request_chat.h"
#include "api/request_lists.h"
#include "api/settings.h"
#include "text/chat/chat_prompt.h"
#include "text/jinja/value.h"

using wisp::Code;
using wisp::fail;
using wisp::Result;
using wisp::Status;
using wisp::TokenId;

namespace wisp::api {
namespace {

using text::jinja::Kind;
using text::jinja::Value;

constexpr std::int64_t kLeast64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMost31 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMostBiases = std::size_t{1} << 20;

using Integer = IntegerSetting<RequestChoice>;
constexpr Integer kIntegers[] = {
    {"max_tokens", 0, kMost32,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.max_new_tokens = static_cast<std::uint32_t>(value);
     }},
    {"seed", kLeast64, kMost64,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.sampling.seed = static_cast<std::uint64_t>(value);
     }},
    {"top_k", 0, kMost31,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.sampling.top_k = static_cast<std::int32_t>(value);
     }},
    {"penalty_last_n", -1, kMost31,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.sampling.penalty_last_n = static_cast<std::int32_t>(value);
     }},
    {"dry_allowed_length", 0, kMost31,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.sampling.dry_allowed_length = static_cast<std::int32_t>(value);
     }},
    {"dry_penalty_last_n", -1, kMost31,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.sampling.dry_penalty_last_n = static_cast<std::int32_t>(value);
     }},
    {"mirostat", 0, 1,
     [](RequestChoice& choice, std::int64_t value) { choice.request.sampling.mirostat = value != 0; }},
    {"logprobs", -1, kMost31,
     [](RequestChoice& choice, std::int64_t value) {
       choice.wants_logprobs = value >= 0;
       choice.logprobs.top = value < 0 ? 0 : static_cast<std::uint32_t>(value);
     }},
    {"logprobs_after", 0, 1,
     [](RequestChoice& choice, std::int64_t value) { choice.logprobs.after_sampling = value != 0; }},
    {"priority", -kMost31, kMost31,
     [](RequestChoice& choice, std::int64_t value) { choice.request.priority = static_cast<int>(value); }},
    {"salt", kLeast64, kMost64,
     [](RequestChoice& choice, std::int64_t value) { choice.request.salt = static_cast<std::uint64_t>(value); }},
    {"ignore_end", 0, 1, [](RequestChoice& choice, std::int64_t value) { choice.request.ignore_end = value != 0; }},
    {"show_special", 0, 2,
     [](RequestChoice& choice, std::int64_t value) {
       choice.request.show_special = value == 1;
       choice.shows_marks = value == 2;
     }},
    {"keep_state", 0, 1, [](RequestChoice& choice, std::int64_t value) { choice.request.keep_state = value != 0; }},
    {"most_drafts", 1, runtime::kMostDrafts,
     [](RequestChoice& choice, std::int64_t value) { choice.request.most_drafts = static_cast<std::uint32_t>(value); }},
    {"token_logits", 0, 1, [](RequestChoice& choice, std::int64_t value) { choice.request.token_logits = value != 0; }},
    {"triggers_in_grammar", 0, 1,
     [](RequestChoice& choice, std::int64_t value) { choice.triggers.in_grammar = value != 0; }},
    {"normalize", 0, 1, [](RequestChoice& choice, std::int64_t value) { choice.normalize = value != 0; }},
    {"logits_from", -1, kMost32, [](RequestChoice& choice, std::int64_t value) { choice.logits_from = value; }},
};

using Number = NumberSetting<RequestChoice>;
constexpr Number kNumbers[] = {
    {"temperature",
     [](RequestChoice& choice, double value) { choice.request.sampling.temperature = static_cast<float>(value); }},
    {"top_p", [](RequestChoice& choice, double value) { choice.request.sampling.top_p = static_cast<float>(value); }},
    {"min_p", [](RequestChoice& choice, double value) { choice.request.sampling.min_p = static_cast<float>(value); }},
    {"repeat_penalty",
     [](RequestChoice& choice, double value) { choice.request.sampling.repeat_penalty = static_cast<float>(value); }},
    {"frequency_penalty", [](RequestChoice& choice,
                             double value) { choice.request.sampling.frequency_penalty = static_cast<float>(value); }},
    {"presence_penalty",
     [](RequestChoice& choice, double value) { choice.request.sampling.presence_penalty = static_cast<float>(value); }},
    {"typical_p",
     [](RequestChoice& choice, double value) { choice.request.sampling.typical_p = static_cast<float>(value); }},
    {"top_n_sigma",
     [](RequestChoice& choice, double value) { choice.request.sampling.top_n_sigma = static_cast<float>(value); }},
    {"xtc_probability",
     [](RequestChoice& choice, double value) { choice.request.sampling.xtc_probability = static_cast<float>(value); }},
    {"xtc_threshold",
     [](RequestChoice& choice, double value) { choice.request.sampling.xtc_threshold = static_cast<float>(value); }},
    {"dynatemp_range",
     [](RequestChoice& choice, double value) { choice.request.sampling.dynatemp_range = static_cast<float>(value); }},
    {"dynatemp_exponent", [](RequestChoice& choice,
                             double value) { choice.request.sampling.dynatemp_exponent = static_cast<float>(value); }},
    {"dry_multiplier",
     [](RequestChoice& choice, double value) { choice.request.sampling.dry_multiplier = static_cast<float>(value); }},
    {"dry_base",
     [](RequestChoice& choice, double value) { choice.request.sampling.dry_base = static_cast<float>(value); }},
    {"mirostat_tau",
     [](RequestChoice& choice, double value) { choice.request.sampling.mirostat_tau = static_cast<float>(value); }},
    {"mirostat_eta",
     [](RequestChoice& choice, double value) { choice.request.sampling.mirostat_eta = static_cast<float>(value); }},
    {"logprobs_mass", [](RequestChoice& choice, double value) { choice.logprobs.mass = static_cast<float>(value); }},
};

Status set_prompt(RequestChoice& choice, RequestChoice::Prompt kind, std::string_view text) {
  choice.prompt = kind;
  choice.text = text;
  choice.request.prompt.clear();
  return {};
}

Status set_speculation(RequestChoice& choice, std::string_view value) {
  for (const auto& [name, kind] :
       {std::pair{"off", runtime::Speculation::off}, std::pair{"ngram", runtime::Speculation::ngram},
        std::pair{"model", runtime::Speculation::model}}) {
    if (value != name) continue;
    choice.request.speculation = kind;
    return {};
  }
  return fail(Code::invalid_argument, "speculate is '{}', expected one of off, ngram, model", printable(value));
}

template <text::grammar::Notation notation>
Status set_grammar(RequestChoice& choice, std::string_view value) {
  if (value.size() > text::grammar::kMaxGrammarBytes) {
    return fail(Code::limit, "a grammar of {} bytes is too long; at most {} are read", value.size(),
                text::grammar::kMaxGrammarBytes);
  }
  choice.notation = notation;
  choice.grammar = value;
  return {};
}

Status set_pooling(RequestChoice& choice, std::string_view value) {
  if (value != "model") {
    auto pooling = runtime::parse_pooling(value);
    if (!pooling) {
      return fail(Code::invalid_argument, "pooling is '{}', expected one of last, mean, cls, none, model",
                  printable(value));
    }
    choice.pooling = *pooling;
  } else {
    choice.pooling.reset();
  }
  choice.wants_embedding = true;
  return {};
}

using Text = TextSetting<RequestChoice>;
constexpr Text kTexts[] = {
    {"prompt", [](RequestChoice& choice,
                  std::string_view value) { return set_prompt(choice, RequestChoice::Prompt::text, value); }},
    {"messages", set_chat},
    {"answer", set_answer},
    {"stop", add_stop},
    {"speculate", set_speculation},
    {"grammar", set_grammar<text::grammar::Notation::gbnf>},
    {"json_schema", set_grammar<text::grammar::Notation::json_schema>},
    {"regex", set_grammar<text::grammar::Notation::regex>},
    {"triggers", set_triggers},
    {"samplers", set_samplers},
    {"dry_breakers", set_breakers},
    {"pooling", set_pooling},
};

Status add_bias(RequestChoice& choice, TokenId token, float bias) {
  auto& biases = choice.request.sampling.logit_bias;
  if (biases.size() == kMostBiases) return fail(Code::limit, "a request has at most {} logit biases", kMostBiases);
  biases.emplace_back(token, bias);
  return {};
}

Status add_biases(RequestChoice& choice, const Value& value) {
  if (!value.is(Kind::dict)) return fail(Code::invalid_argument, "logit_bias is not an object of token ids");
  for (const auto& [key, bias] : value.as_dict()->entries()) {
    const std::string_view text = key.as_text();
    TokenId token = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), token);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !bias.is_number()) {
      return fail(Code::invalid_argument, "logit_bias holds '{}', expected a token id and a number", printable(text));
    }
    WISP_CHECK(add_bias(choice, token, static_cast<float>(bias.as_real())));
  }
  return {};
}

// Those of them that may be a list.
struct ListSetting {
  std::string_view name;
  Status (*set)(RequestChoice& choice, const Value& list);
};
constexpr ListSetting kLists[] = {
    {"prompt", set_prompt_ids},     {"answer", set_answer_ids},         {"stop", add_stops},
    {"samplers", set_sampler_list}, {"dry_breakers", set_breaker_list}, {"triggers", set_trigger_list}};

std::string names_of_all() {
  return fmt::format("{}, {}, {}, logit_bias", names_of(std::span<const Integer>(kIntegers)),
                     names_of(std::span<const Number>(kNumbers)), names_of(std::span<const Text>(kTexts)));
}

// `name` is neither of a chat nor a schema, whose JSON is kept as text.
Status set_from_json(RequestChoice& choice, std::string_view name, const Value& value) {
  if (name == "logit_bias") return add_biases(choice, value);
  const ListSetting* const list = find_named(std::span<const ListSetting>(kLists), name);
  if (list != nullptr && value.is(Kind::list)) return list->set(choice, value);
  if (const Text* const setting = find_named(std::span<const Text>(kTexts), name); setting != nullptr) {
    if (value.is(Kind::string)) return setting->set(choice, value.as_text());
    return fail(Code::invalid_argument, "{} is not a text{}", name, list == nullptr ? "" : " or a list");
  }
  if (const Number* const setting = find_named(std::span<const Number>(kNumbers), name); setting != nullptr) {
    if (!value.is_number()) return fail(Code::invalid_argument, "{} is not a number", name);
    setting->set(choice, value.as_real());
    return {};
  }
  if (find_named(std::span<const Integer>(kIntegers), name) != nullptr) {
    return set_integer(std::span<const Integer>(kIntegers), choice, name, value);
  }
  return fail(Code::not_found, "no setting of a request is called '{}'; there are: {}", printable(name),
              names_of_all());
}

}  // namespace

Result<MadeRequest> make_request(const RequestChoice& choice, const OpenedModel& model, bool is_fork) {
  MadeRequest made{.request = choice.request, .prompt_end = {}};
  runtime::Request& request = made.request;
  if (choice.prompt == RequestChoice::Prompt::text) {
    WISP_TRY(const text::Tokenizer* const tokenizer, model.needed_tokenizer());
    WISP_TRY(request.prompt, tokenizer->encode(choice.text, {.add_special = !is_fork}));
  } else if (choice.prompt == RequestChoice::Prompt::chat) {
    if (is_fork) return fail(Code::invalid_argument, "messages are a whole prompt, and a fork goes on from one");
    WISP_TRY(text::ChatPrompt prompt, model.chat_prompt(chat_json(choice), true));
    request.prompt = std::move(prompt.ids);
    made.prompt_end = std::move(prompt.end);
  }
  if (is_fork && !choice.answer.empty()) {
    return fail(Code::invalid_argument, "answer is the start of a whole request's answer, and a fork goes on from one");
  }
  request.prompt.insert(request.prompt.end(), choice.answer.begin(), choice.answer.end());
  request.answered = static_cast<std::uint32_t>(choice.answer.size());
  if (choice.shows_marks) {
    WISP_TRY(const text::ChatForm* const form, model.chat_form());
    WISP_TRY(const text::Tokenizer* const tokenizer, model.needed_tokenizer());
    request.shown_tokens = text::mark_tokens(form->format(), tokenizer->vocabulary());
  }
  if (choice.wants_logprobs) {
    request.logprobs = choice.logprobs;
  } else if (choice.logprobs.mass != 1.0f || choice.logprobs.after_sampling) {
    return fail(Code::invalid_argument, "logprobs_mass and logprobs_after say which logprobs; set logprobs too");
  }
  return made;
}

}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_request* wisp_request_create(void) {
  auto made = guarded([]() -> Result<wisp_request*> { return create<wisp_request>(); });
  return made.value_or(nullptr);
}
void wisp_request_destroy(wisp_request* request) { destroy(request); }

wisp_status wisp_request_set_prompt(wisp_request* request, const int32_t* ids, size_t count, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    WISP_TRY(const auto read, ids_argument("the ids of the prompt", ids, count));
    WISP_CHECK(set_prompt(request->choice, RequestChoice::Prompt::ids, {}));
    request->choice.request.prompt.assign(read.begin(), read.end());
    return {};
  });
}

wisp_status wisp_request_set_state(wisp_request* request, const void* state, size_t size, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    WISP_TRY(const auto bytes, bytes_argument("the state", state, size));
    if (bytes.empty()) {
      request->choice.request.state = nullptr;
      return {};
    }
    WISP_TRY(wisp::runtime::SavedSequence saved, wisp::runtime::read_saved(bytes));
    request->choice.request.state = std::make_shared<const wisp::runtime::SavedSequence>(std::move(saved));
    return {};
  });
}

wisp_status wisp_state_tokens(const void* state, size_t size, wisp_buffer* out, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(out, "the buffer"));
    WISP_TRY(const auto bytes, bytes_argument("the state", state, size));
    WISP_TRY(const wisp::runtime::SavedSequence saved, wisp::runtime::read_saved(bytes));
    return fill(out, std::span<const TokenId>(saved.tokens));
  });
}

wisp_status wisp_request_set_integer(wisp_request* request, const char* name, int64_t value, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    WISP_TRY(const std::string_view key, text_argument("the name", name, WISP_TO_NUL));
    return set_integer(std::span<const Integer>(kIntegers), request->choice, key, value);
  });
}

wisp_status wisp_request_set_number(wisp_request* request, const char* name, double value, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    WISP_TRY(const std::string_view key, text_argument("the name", name, WISP_TO_NUL));
    WISP_TRY(const auto* const setting, find_setting(std::span<const Number>(kNumbers), key, "number of a request"));
    setting->set(request->choice, value);
    return {};
  });
}

wisp_status wisp_request_set_text(wisp_request* request, const char* name, const char* value, size_t length,
                                  wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    WISP_TRY(const std::string_view key, text_argument("the name", name, WISP_TO_NUL));
    WISP_TRY(const std::string_view text, text_argument("the value", value, length));
    WISP_TRY(const auto* const setting, find_setting(std::span<const Text>(kTexts), key, "text setting of a request"));
    return setting->set(request->choice, text);
  });
}

wisp_status wisp_request_add_logit_bias(wisp_request* request, int32_t token, float bias, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    return add_bias(request->choice, token, bias);
  });
}

wisp_status wisp_request_set_json(wisp_request* request, const char* json, size_t length, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check(request, "the request"));
    WISP_TRY(const std::string_view text, text_argument("the JSON", json, length));
    WISP_TRY(const Value object, parse_object("the settings of the request", text));
    RequestChoice choice = request->choice;
    for (const auto& [key, value] : object.as_dict()->entries()) {
      const bool is_whole_chat = key.as_text() == "messages" && value.is(Kind::string);
      if (key.as_text() == "json_schema" && !value.is(Kind::string)) {
        WISP_TRY(const std::string schema, json_of(value));
        WISP_CHECK(set_grammar<wisp::text::grammar::Notation::json_schema>(choice, schema));
      } else if (is_chat_member(key.as_text()) && !is_whole_chat) {
        WISP_CHECK(set_chat_member(choice, key.as_text(), value));
      } else {
        WISP_CHECK(set_from_json(choice, key.as_text(), value));
      }
    }
    request->choice = std::move(choice);
    return {};
  });
}

}  // extern "C"
