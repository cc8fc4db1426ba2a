// Answers of a chat as a grammar: what a model may write once it has begun a call, where it has to call, or where what
// it says has to have a form.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat/message.h"
#include "text/chat/output_format.h"
#include "text/chat/tool_choice.h"
#include "text/grammar/compile.h"
#include "text/grammar/compiled_grammar.h"
#include "text/grammar/constraint.h"
#include "text/grammar/grammar.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace wisp::text {

inline constexpr std::size_t kMostTools = 512;

// For grammar::compile(), CompiledGrammar::create() and Constraint::create().
struct AnswerGrammar {
  grammar::Grammar grammar;
  grammar::Triggers triggers;  // empty: the grammar holds from the answer's first token on
};

// What an answer has to be that calls nothing.
struct AnswerForm {
  grammar::Notation notation = grammar::Notation::json_schema;
  std::string_view source;
};

// A text of the grammar is one that OutputParser takes for calls of these tools, with arguments that the `parameters`
// of the tool accept; tools and format as the parser gets them. Where a call is required, what a model thinks may come
// first, if the format has marks for it. Where none is, the grammar is lazy; in formats that mark no calls it holds
// from the start and takes any text that does not begin like one.
//
// With a form it holds from the start: what a model thinks, and then calls or a text of the form, behind the mark that
// the format has for what is said; read it with OutputOptions::formed. A format that marks no calls cannot tell an
// object of the form that has a tool's name from a call: the parser takes it for one.
//
// `prompt_end`: what the template wrote to make the model answer (ChatForm::Prompt::end), which may open a thought.
// `vocabulary`: that of the model, whose control tokens the marks are then made of; null: all marks are text.
//
// Code::invalid_argument for neither tools nor a form, for a choice that names none of the tools, or requires a call
// beside a form, for a name that the format cannot spell; failures of schemas, which name the tool. Code::unsupported
// for a model without calls, unless there is a form.
Result<AnswerGrammar> answer_grammar(const OutputFormat& format, const std::vector<Tool>& tools,
                                     const ToolChoice& choice, std::string_view prompt_end,
                                     const Vocabulary* vocabulary = nullptr,
                                     const std::optional<AnswerForm>& form = {});

// The same, ready to be made a constraint of. Nothing where an answer may do as it likes: without tools and a form, and
// for a model without calls unless one is required. `tokenizer` outlives the result.
struct CompiledAnswer {
  std::shared_ptr<grammar::CompiledGrammar> grammar;
  grammar::Triggers triggers;
};
Result<std::optional<CompiledAnswer>> compile_answer(const OutputFormat& format, const std::vector<Tool>& tools,
                                                     const ToolChoice& choice, std::string_view prompt_end,
                                                     const Tokenizer& tokenizer,
                                                     const std::optional<AnswerForm>& form = {});

}  // namespace wisp::text
