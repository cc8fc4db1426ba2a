// A wisp_request: what is asked of an engine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/handle.h"
#include "api/opened_model.h"
#include "runtime/pooling.h"
#include "runtime/request.h"
#include "sample/logprobs.h"
#include "sample/params.h"
#include "text/grammar/compile.h"
#include "text/grammar/constraint.h"

namespace wisp::api {

struct RequestChoice {
  enum class Prompt : std::uint8_t { ids, text, chat };

  runtime::Request request = {};  // without callbacks; its prompt where that is ids
  Prompt prompt = Prompt::ids;
  std::string text;  // the prompt where it is text
  // The prompt where it is a chat: JSON texts of "messages", "tools" and their like, by name.
  std::map<std::string, std::string, std::less<>> chat;
  std::vector<TokenId> answer;    // behind the prompt: what is there of the answer already
  bool shows_marks = false;       // those of the model's reasoning and calls
  std::int64_t logits_from = -1;  // -1: no logits of the prompt
  // What the new text has to obey: a grammar's text, where there is a notation.
  std::optional<text::grammar::Notation> notation;
  std::string grammar;
  text::grammar::Triggers triggers;  // none: it holds from the start
  // Texts, which need the vocabulary of an engine to become tokens.
  std::vector<std::string> dry_breakers = {sample::kUsualBreakers.begin(), sample::kUsualBreakers.end()};
  bool names_breakers = false;  // somebody asked for these
  bool wants_logprobs = false;
  sample::LogprobOptions logprobs;
  bool wants_embedding = false;
  std::optional<runtime::Pooling> pooling;  // none: what the model's file says
  std::optional<bool> normalize;            // none: where a text has one vector
};

// The request with its prompt as ids, ready for callbacks. A fork's prompt stands in the middle of a text.
struct MadeRequest {
  runtime::Request request;
  std::string prompt_end;  // of a chat, as text::ChatPrompt has it
};
Result<MadeRequest> make_request(const RequestChoice& choice, const OpenedModel& model, bool is_fork);

}  // namespace wisp::api

struct wisp_request : wisp::api::Tagged<wisp::api::Tag::request> {
  wisp::api::RequestChoice choice;
};
