// Calls as a grammar: what a model may write once it has begun a call, or where it has to call.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat/message.h"
#include "text/chat/output_format.h"
#include "text/chat/tool_choice.h"
#include "text/grammar/compiled_grammar.h"
#include "text/grammar/constraint.h"
#include "text/grammar/grammar.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace wisp::text {

inline constexpr std::size_t kMostTools = 512;

// For grammar::compile(), CompiledGrammar::create() and Constraint::create().
struct CallGrammar {
  grammar::Grammar grammar;
  grammar::Triggers triggers;  // empty: the grammar holds from the answer's first token on
};

// A text of the grammar is one that OutputParser takes for calls of these tools, with arguments that the `parameters`
// of the tool accept; tools and format as the parser gets them. Where a call is required, what a model thinks may come
// first, if the format has marks for it. Where none is, the grammar is lazy; in formats that mark no calls it holds
// from the start and takes any text that does not begin like one.
//
// `prompt_end`: what the template wrote to make the model answer (ChatForm::Prompt::end), which may open a thought.
// `vocabulary`: that of the model, whose control tokens the marks are then made of; null: all marks are text.
//
// Code::invalid_argument for no tools, for a choice that names none of them, for a name that the format cannot spell;
// failures of schemas, which name the tool. Code::unsupported for a model without calls.
Result<CallGrammar> call_grammar(const OutputFormat& format, const std::vector<Tool>& tools, const ToolChoice& choice,
                                 std::string_view prompt_end, const Vocabulary* vocabulary = nullptr);

// The same, ready to be made a constraint of. Nothing where an answer may do as it likes: without tools, and for a
// model without calls unless one is required. `tokenizer` outlives the result.
struct CompiledCalls {
  std::shared_ptr<grammar::CompiledGrammar> grammar;
  grammar::Triggers triggers;
};
Result<std::optional<CompiledCalls>> compile_calls(const OutputFormat& format, const std::vector<Tool>& tools,
                                                   const ToolChoice& choice, std::string_view prompt_end,
                                                   const Tokenizer& tokenizer);

}  // namespace wisp::text
