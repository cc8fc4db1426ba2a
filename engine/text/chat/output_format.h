// How a model writes its answers: what surrounds reasoning and tool calls, and how a call is spelled. Found out from
// the chat template (find_output_format), read by OutputParser.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat/message.h"
#include "text/vocabulary.h"

namespace wisp::text {

// A call is written as literals and fields. Blanks in literals match any run of blanks, none too.
struct SyntaxPiece {
  enum class Kind : std::uint8_t { literal, optional, name, id, any, arguments };
  Kind kind = Kind::literal;
  std::string text = {};  // of literal and optional
};
using Pattern = std::vector<SyntaxPiece>;

enum class Payload : std::uint8_t {
  none,       // the model has no calls
  json,       // {"name": .., "arguments": {..}}, or a list of these
  arguments,  // the name stands in the head; a JSON object follows
  tagged,     // the name stands in the head; each argument is a key and a value between literals
  python,     // [f(a=1, b="x")]
  gemma,      // {a:1,b:<|"|>x<|"|>}
};
std::string_view payload_name(Payload payload);

inline constexpr std::string_view kGemmaQuote = "<|\"|>";  // around strings of gemma's payload

struct CallFormat {
  Payload payload = Payload::none;
  // Around all calls of an answer, each may be empty.
  std::string section_begin, section_end;
  // What begins a call, up to the payload: each begins with a literal. The first is what the template writes.
  std::vector<Pattern> heads;
  std::vector<std::string> tails;  // what may follow the payload, in this order

  // json
  std::string name_key = "name", arguments_key = "arguments", id_key;
  bool name_is_key = false;  // {"get_weather": {..}}
  bool bare = false;         // nothing marks a call: an answer that begins with such an object is one
  bool listed = false;       // the template writes calls as a list
  Pattern object;            // a call as the template writes it; empty where it writes none

  // tagged: argument_begin KEY key_end [TYPE type_end] value value_end
  std::string argument_begin, key_end, type_end, value_end;
  bool ends_with_key = false;  // value_end is followed by the key and `after_end_key`: </city>
  std::string after_end_key;
  bool padded = false;      // a line end before and behind each value is not part of it
  std::string string_type;  // TYPE of strings
};

struct ReasoningMarks {
  std::string begin, end;
  bool only_at_start = false;  // elsewhere the text means itself
};

struct OutputFormat {
  std::vector<ReasoningMarks> reasoning;
  std::vector<std::string> ignored;  // marks around the answer's text that are no part of it
  std::string speech;                // those that a text for the user has to begin with; most formats have none
  bool blank_first = false;          // a blank in front of an answer is the template's, although the prompt lacks it
  CallFormat calls;
};

// One line a fact, for people.
std::string describe(const OutputFormat& format);
// The control tokens of a vocabulary that the marks are made of: they have to appear in the text that OutputParser
// gets.
std::vector<TokenId> mark_tokens(const OutputFormat& format, const Vocabulary& vocabulary);

}  // namespace wisp::text
