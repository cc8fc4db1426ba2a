#include "api/request_lists.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace wisp::api {
namespace {

using text::jinja::Kind;
using text::jinja::Value;

constexpr std::size_t kMostTexts = 256;  // of stop, dry_breakers and triggers each

bool is_token(const Value& value) {
  return value.is(Kind::integer) && value.as_integer() >= 0 &&
         value.as_integer() <= std::numeric_limits<std::int32_t>::max();
}

Status check_count(std::string_view name, std::size_t count) {
  if (count <= kMostTexts) return {};
  return fail(Code::limit, "{} are {}, and no more than {} may be", name, count, kMostTexts);
}

Result<Value> parse_list(std::string_view name, std::string_view json) {
  constexpr std::uint32_t kMostDepth = 2;
  auto value = text::jinja::parse_json(json, kMostDepth);
  if (!value) return fail_in(std::move(value).error(), "{}", name);
  if (!value->is(Kind::list)) return fail(Code::invalid_argument, "{} are not a JSON list", name);
  return value;
}

Result<std::vector<TokenId>> ids_of(std::string_view name, const Value& list) {
  std::vector<TokenId> ids;
  for (const Value& item : list.items()) {
    if (!is_token(item)) {
      return fail(Code::invalid_argument, "the {} is a list, and its item {} is not a token id", name, ids.size());
    }
    ids.push_back(static_cast<TokenId>(item.as_integer()));
  }
  return ids;
}

}  // namespace

Status set_prompt_ids(RequestChoice& choice, const Value& list) {
  WISP_TRY(std::vector<TokenId> ids, ids_of("prompt", list));
  choice.prompt = RequestChoice::Prompt::ids;
  choice.request.prompt = std::move(ids);
  return {};
}

Status set_answer_ids(RequestChoice& choice, const Value& list) {
  WISP_TRY(choice.answer, ids_of("answer", list));
  return {};
}

Status set_answer(RequestChoice& choice, std::string_view json) {
  WISP_TRY(const Value list, parse_list("answer", json));
  return set_answer_ids(choice, list);
}

Status add_stop(RequestChoice& choice, std::string_view text) {
  if (text.empty()) return fail(Code::invalid_argument, "a stop text is empty");
  WISP_CHECK(check_count("stop texts", choice.request.stop.size() + 1));
  choice.request.stop.emplace_back(text);
  return {};
}

Status add_stops(RequestChoice& choice, const Value& list) {
  for (const Value& item : list.items()) {
    if (!item.is(Kind::string)) return fail(Code::invalid_argument, "stop holds what is not a text");
    WISP_CHECK(add_stop(choice, item.as_text()));
  }
  return {};
}

Status set_samplers(RequestChoice& choice, std::string_view text) {
  auto order = sample::parse_sampler_order(text);
  if (!order) return fail_in(std::move(order).error(), "samplers");
  choice.request.sampling.samplers = std::move(*order);
  return {};
}

Status set_sampler_list(RequestChoice& choice, const Value& list) {
  std::string joined;
  for (const Value& item : list.items()) {
    // A list in a list's item would be taken apart below.
    if (!item.is(Kind::string) || item.as_text().find(';') != std::string_view::npos || item.as_text().empty()) {
      return fail(Code::invalid_argument, "samplers holds what is not the name of a sampler");
    }
    if (!joined.empty()) joined += ';';
    joined += item.as_text();
  }
  return set_samplers(choice, joined);
}

Status set_breaker_list(RequestChoice& choice, const Value& list) {
  WISP_CHECK(check_count("dry_breakers", list.items().size()));
  std::vector<std::string> texts;
  for (const Value& item : list.items()) {
    if (!item.is(Kind::string) || item.as_text().empty()) {
      return fail(Code::invalid_argument, "dry_breakers holds what is not a text of at least one byte");
    }
    texts.emplace_back(item.as_text());
  }
  choice.dry_breakers = std::move(texts);
  choice.names_breakers = true;
  return {};
}

Status set_breakers(RequestChoice& choice, std::string_view json) {
  WISP_TRY(const Value list, parse_list("dry_breakers", json));
  return set_breaker_list(choice, list);
}

Status set_trigger_list(RequestChoice& choice, const Value& list) {
  WISP_CHECK(check_count("triggers", list.items().size()));
  std::vector<std::string> texts;
  std::vector<TokenId> tokens;
  for (const Value& item : list.items()) {
    if (is_token(item)) {
      tokens.push_back(static_cast<TokenId>(item.as_integer()));
    } else if (item.is(Kind::string) && !item.as_text().empty()) {
      texts.emplace_back(item.as_text());
    } else {
      return fail(Code::invalid_argument, "triggers holds what is neither a text nor a token id");
    }
  }
  choice.triggers.texts = std::move(texts);
  choice.triggers.tokens = std::move(tokens);
  return {};
}

Status set_triggers(RequestChoice& choice, std::string_view json) {
  WISP_TRY(const Value list, parse_list("triggers", json));
  return set_trigger_list(choice, list);
}

}  // namespace wisp::api
