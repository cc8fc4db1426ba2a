// The settings of a request that are lists, from JSON.
#pragma once

#include <string_view>

#include "api/request.h"
#include "base/result.h"
#include "text/jinja/value.h"

namespace wisp::api {

// Each is given a list. `answer`, `samplers`, `dry_breakers` and `triggers` take the place of those before, `stop` is
// added to.
Status set_prompt_ids(RequestChoice& choice, const text::jinja::Value& list);
Status set_answer_ids(RequestChoice& choice, const text::jinja::Value& list);
Status add_stops(RequestChoice& choice, const text::jinja::Value& list);
Status set_sampler_list(RequestChoice& choice, const text::jinja::Value& list);
Status set_breaker_list(RequestChoice& choice, const text::jinja::Value& list);
Status set_trigger_list(RequestChoice& choice, const text::jinja::Value& list);

Status add_stop(RequestChoice& choice, std::string_view text);

// The same from the text of a C call: names between ';', and JSON lists.
Status set_samplers(RequestChoice& choice, std::string_view text);
Status set_breakers(RequestChoice& choice, std::string_view json);
Status set_triggers(RequestChoice& choice, std::string_view json);
Status set_answer(RequestChoice& choice, std::string_view json);

}  // namespace wisp::api
