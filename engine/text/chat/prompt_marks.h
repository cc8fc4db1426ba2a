// Which characters of a rendered prompt came from the request, and which from the template.
//
// A template may trim a text, cut it up, escape it or leave it out, so where its characters went cannot be told from
// the request and the rendered text alone. Hence it is rendered again with a mark, a character of the private use area
// that nothing else holds, behind characters of the request's texts. Where the second rendering without its marks is
// the first one, the template treated both alike, and the marks show what came from the request. Blanks around a text
// get no mark: trimming would stop at it.
//
// Templates that look into a text (for "</think>", say, or at the type of a parameter) may treat the marked one
// differently. Then fewer characters are marked, at last only the control tokens that the request spells, which changes
// nothing that a template looks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"
#include "text/tokenizer.h"

namespace wisp::text {

// What is marked in a text: each character, or each one of the control tokens that it spells.
enum class Marked : std::uint8_t { characters, spellings };

struct MarkPlan {
  Marked contents = Marked::characters;  // of messages
  Marked others =
      Marked::characters;  // names, arguments, descriptions; roles, types and keys never more than spellings
};

// A private use character that `rendered` and the texts of `variables` do not hold; nothing where they hold all 6400.
std::optional<std::string> unused_character(std::string_view rendered, const jinja::Value& variables);

// A copy of the variables of a request (a dict), all texts of which are marked. What is neither a message nor a tool is
// a switch of the template: of it, too, no more than spellings are.
jinja::Value with_marks(const jinja::Value& variables, const MarkPlan& plan, const Tokenizer& tokenizer,
                        std::string_view mark);

// Where the marks of `text` stood, as ascending offsets into it without them; nothing where that is not `unmarked`.
std::optional<std::vector<std::size_t>> marks_in(std::string_view text, std::string_view mark,
                                                 std::string_view unmarked);

// The first control token that a text of the variables, or a key, spells.
std::optional<std::string> spelled_control(const jinja::Value& variables, const Tokenizer& tokenizer);

}  // namespace wisp::text
