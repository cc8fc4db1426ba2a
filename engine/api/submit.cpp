// From a wisp_request to a request of the engine, and from its callbacks to events.
#include <algorithm>
#include <utility>

#include "api/engine_handle.h"
#include "api/request.h"
#include "api/request_chat.h"
#include "base/room.h"
#include "runtime/pooling.h"
#include "text/spellings.h"

namespace wisp::api {
namespace {

using runtime::Pooler;
using runtime::RequestId;

// An engine's ids begin with 1: 0 is none.
constexpr std::uint64_t number_of(RequestId id) { return static_cast<std::uint64_t>(id); }

// What a request's callbacks share.
struct Teller {
  wisp_engine* engine;
  bool wants_logprobs = false;
  std::optional<Pooler> pooler;  // of a request for an embedding
  Error failure;                 // with a message: why it had to be cancelled

  // Without memory for them the request ends: a caller who asked for logits would miss them in silence.
  Buffer copy(RequestId id, std::span<const float> logits) {
    auto kept = Buffer::allocate(logits.size_bytes(), "the logits that were asked for");
    if (kept) {
      std::ranges::copy(logits, kept->as<float>().begin());
      return std::move(*kept);
    }
    failure = std::move(kept).error();
    static_cast<void>(engine->engine->cancel(id));  // it is running
    return {};
  }

  void tell(const runtime::TokenEvent& token) {
    Event event = event_of(WISP_EVENT_TOKEN, token.request);
    event.token = token.token;
    event.position = token.position;
    event.text = token.text;
    event.logits = copy(token.request, token.logits);
    if (wants_logprobs) {
      event.has_logprobs = true;
      event.logprob = token.logprobs.chosen;
      event.top_logprobs.assign(token.logprobs.top.begin(), token.logprobs.top.end());
    }
    engine->push(std::move(event));
  }

  void tell(RequestId id, std::uint32_t position, std::span<const float> logits) {
    Event event = event_of(WISP_EVENT_LOGITS, id);
    event.position = position;
    event.logits = copy(id, logits);
    engine->push(std::move(event));
  }

  void tell(const runtime::FinishEvent& end) {
    const bool gave_up = !failure.message.empty();
    const bool failed = gave_up || end.reason == runtime::FinishReason::error;
    const Error& why = gave_up ? failure : end.error;
    Event event = event_of(WISP_EVENT_FINISH, end.request);
    event.text = end.text;
    event.reason = failed ? WISP_FINISH_ERROR : static_cast<wisp_finish_reason>(end.reason);
    event.status = failed ? status_of(why.code) : WISP_OK;
    if (failed) event.message = why.message;
    event.stats = end.stats;
    event.state = end.state;
    if (pooler && event.reason == WISP_FINISH_LENGTH) event.embedding = pooler->finish();
    engine->push(std::move(event));
  }

 private:
  static Event event_of(wisp_kind kind, RequestId id) {
    Event event;
    event.kind = kind;
    event.request = number_of(id);
    return event;
  }
};

// Compiling may take as long as many tokens do, so the latest grammars are kept.
Result<std::shared_ptr<text::grammar::CompiledGrammar>> grammar_of(wisp_engine& engine, const RequestChoice& choice) {
  constexpr std::size_t kMostGrammars = 16;
  std::list<KnownGrammar>& known = engine.grammars;
  const auto found = std::ranges::find_if(known, [&](const KnownGrammar& grammar) {
    return grammar.notation == *choice.notation && grammar.source == choice.grammar;
  });
  if (found != known.end()) {
    known.splice(known.begin(), known, found);
    return found->compiled;
  }
  WISP_TRY(const text::Tokenizer* const tokenizer, engine.model->needed_tokenizer());
  WISP_TRY(auto compiled, text::grammar::compile_grammar(*choice.notation, choice.grammar, *tokenizer));
  known.push_front({*choice.notation, choice.grammar, std::move(compiled)});
  if (known.size() > kMostGrammars) known.pop_back();
  return known.front().compiled;
}

// Spelling a text means a look at each token of the vocabulary, so what was spelled is kept.
Status spell_breakers(wisp_engine& engine, const RequestChoice& choice, sample::SamplingParams& sampling) {
  constexpr std::size_t kMostKnown = 64;
  if (!sampling.uses_dry()) return {};
  // Without a vocabulary there are none, unless somebody asked for them.
  WISP_TRY(const text::Tokenizer* const tokenizer,
           choice.names_breakers ? engine.model->needed_tokenizer() : engine.model->tokenizer());
  if (tokenizer == nullptr) return {};
  for (const std::string& text : choice.dry_breakers) {
    auto known = engine.breakers.find(text);
    if (known == engine.breakers.end()) {
      auto sequences = text::spellings(*tokenizer, text);
      if (!sequences) return fail_in(std::move(sequences).error(), "dry_breakers");
      if (engine.breakers.size() == kMostKnown) engine.breakers.clear();
      known = engine.breakers.emplace(text, std::move(*sequences)).first;
    }
    sampling.dry_breakers.insert(sampling.dry_breakers.end(), known->second.begin(), known->second.end());
  }
  return {};
}

// What an answer of a chat has to obey: calls those of its tools, all else the form that is asked for, if one is.
Status obey_chat(wisp_engine& engine, const RequestChoice& choice, const std::string& prompt_end,
                 runtime::Request& request) {
  constexpr std::size_t kMostAnswers = 16;
  std::string chat = chat_json_without_messages(choice);
  std::list<KnownAnswer>& known = engine.answers;
  const auto found = std::ranges::find_if(known, [&](const KnownAnswer& answer) {
    return answer.chat == chat && answer.prompt_end == prompt_end && answer.notation == choice.notation &&
           answer.form == choice.grammar;
  });
  if (found != known.end()) {
    known.splice(known.begin(), known, found);
  } else {
    std::optional<text::AnswerForm> form;
    if (choice.notation) form = {*choice.notation, choice.grammar};
    WISP_TRY(auto compiled, engine.model->answer_grammar(chat, prompt_end, form));
    known.push_front({std::move(chat), prompt_end, choice.notation, choice.grammar, std::move(compiled)});
    if (known.size() > kMostAnswers) known.pop_back();
  }
  const std::optional<text::CompiledAnswer>& answer = known.front().compiled;
  if (!answer) return {};
  WISP_TRY(request.constraint, text::grammar::Constraint::create(answer->grammar, answer->triggers));
  return {};
}

Status obey_grammar(wisp_engine& engine, const RequestChoice& choice, const std::string& prompt_end,
                    runtime::Request& request) {
  using text::grammar::Notation;
  if (!choice.notation && !choice.triggers.empty()) {
    return fail(Code::invalid_argument, "triggers start a grammar, and this request has none: set grammar too");
  }
  // A GBNF is the whole text, marks and thoughts included; so is whatever begins at triggers.
  const bool is_whole = choice.notation == Notation::gbnf || !choice.triggers.empty();
  if (choice.prompt == RequestChoice::Prompt::chat && !is_whole) {
    if (!choice.notation && !choice.chat.contains("tools")) return {};
    return obey_chat(engine, choice, prompt_end, request);
  }
  if (!choice.notation) return {};
  WISP_TRY(auto grammar, grammar_of(engine, choice));
  WISP_TRY(request.constraint, text::grammar::Constraint::create(std::move(grammar), choice.triggers));
  return {};
}

// What an embedding has no use for, or "".
std::string_view foreign_to_embeddings(const RequestChoice& choice) {
  const runtime::Request& request = choice.request;
  if (request.max_new_tokens != 0 && request.max_new_tokens != runtime::kNoLimit) return "max_tokens";
  if (choice.logits_from >= 0) return "logits_from";
  if (request.token_logits) return "token_logits";
  if (choice.wants_logprobs) return "logprobs";
  if (choice.notation) return "grammar";
  if (!choice.answer.empty()) return "answer";
  if (request.speculation != runtime::Speculation::off) return "speculate";
  return "";
}

// An engine gives logits or embeddings, and a request wants one of them.
Status check_output(const wisp_engine& engine, const RequestChoice& choice, bool is_fork) {
  const bool gives_embeddings = engine.engine->options().output == graph::Output::hidden;
  if (choice.wants_embedding && !gives_embeddings) {
    return fail(Code::invalid_argument,
                "pooling asks for an embedding, and this engine makes tokens; embeddings come of an engine whose "
                "option output is \"embeddings\"");
  }
  if (!gives_embeddings) return {};
  if (!choice.wants_embedding) {
    return fail(Code::invalid_argument,
                "this engine gives embeddings and makes no tokens; set pooling, or make an engine whose option output "
                "is \"logits\"");
  }
  if (is_fork) return fail(Code::invalid_argument, "an embedding is of a whole text: it cannot be a fork");
  const std::string_view foreign = foreign_to_embeddings(choice);
  if (foreign.empty()) return {};
  return fail(Code::invalid_argument, "{} is set, and a request for an embedding makes no tokens", foreign);
}

// The pooler of a request whose prompt the engine will take.
Result<std::optional<Pooler>> make_pooler(const wisp_engine& engine, const RequestChoice& choice,
                                          runtime::Request& request) {
  request.max_new_tokens = 0;
  const std::size_t n = request.prompt.size();
  if (n == 0) return fail(Code::invalid_argument, "an embedding needs a text of at least one token");
  if (n > engine.engine->max_positions()) return std::nullopt;
  runtime::Pooling pooling = choice.pooling.value_or(runtime::Pooling::last);
  if (!choice.pooling) {
    WISP_TRY(pooling, runtime::pooling_of(engine.model->file().metadata));
  }
  const bool each_token = pooling == runtime::Pooling::none;
  const std::uint32_t width = graph::output_width(engine.engine->graph());
  if (each_token) WISP_CHECK(check_room(std::uint64_t{width} * n * sizeof(float), "vectors of all tokens"));
  return std::optional<Pooler>(std::in_place, pooling, width, static_cast<std::uint32_t>(n),
                               choice.normalize.value_or(!each_token));
}

}  // namespace

Result<std::uint64_t> submit(wisp_engine& engine, const wisp_request* asked, std::optional<std::uint64_t> parent) {
  WISP_CHECK(check(asked, "the request"));
  const RequestChoice& choice = asked->choice;
  WISP_CHECK(check_output(engine, choice, parent.has_value()));
  WISP_TRY(MadeRequest made, make_request(choice, *engine.model, parent.has_value()));
  runtime::Request& request = made.request;
  WISP_CHECK(spell_breakers(engine, choice, request.sampling));
  WISP_CHECK(obey_grammar(engine, choice, made.prompt_end, request));

  auto teller = std::make_shared<Teller>(&engine, request.logprobs.has_value());
  request.on_token = [teller](const runtime::TokenEvent& token) { teller->tell(token); };
  request.on_finish = [teller](const runtime::FinishEvent& end) { teller->tell(end); };
  auto id = std::make_shared<RequestId>();  // callbacks come from steps, when it is known
  if (choice.wants_embedding) {
    WISP_TRY(teller->pooler, make_pooler(engine, choice, request));
    if (teller->pooler) request.logits_from = teller->pooler->first_position();
    request.on_logits = [teller](std::uint32_t position, std::span<const float> hidden) {
      teller->pooler->add(position, hidden);
    };
  } else if (choice.logits_from >= 0) {
    request.logits_from = static_cast<std::uint32_t>(choice.logits_from);
    request.on_logits = [teller, id](std::uint32_t position, std::span<const float> logits) {
      teller->tell(*id, position, logits);
    };
  }
  WISP_TRY(*id, parent ? engine.engine->fork(RequestId{*parent}, std::move(request))
                       : engine.engine->submit(std::move(request)));
  return number_of(*id);
}

}  // namespace wisp::api
