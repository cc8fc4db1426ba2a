// The parts that texts of JSON are made of, as nodes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/grammar/char_set.h"
#include "text/grammar/grammar.h"
#include "text/grammar/json_value.h"

namespace wisp::text::grammar {

// Between brackets, commas and colons on one side and values on the other: nothing, a space, or a new line with up to
// this many blanks. So a text cannot go on for ever without saying anything.
inline constexpr std::uint32_t kMostIndent = 40;

// Notations that differ from JSON in a few words.
struct JsonSpelling {
  std::string yes = "true", no = "false", null = "null";
  bool tight = false;  // no blanks between brackets, commas, colons and values
  // Characters that strings may hold as \u escapes only, because something around the JSON text would read them.
  CharSet escaped = {};
  // Around strings instead of quotes; `quote` is its node. Strings then hold no escapes, and names that are words stand
  // without quotes.
  std::string quote_text = {};
  NodeId quote = {};
};

class JsonGrammar {
 public:
  explicit JsonGrammar(Grammar& grammar, JsonSpelling spelling = {});

  NodeId blank() const { return blank_; }
  NodeId text(std::string_view bytes) { return grammar_.literal(bytes); }

  // ---- strings ----
  // One character of a string as it may be spelled: plain, or with any of JSON's escapes.
  NodeId any_char() const { return any_char_; }
  // One character of the set in its usual spelling, the one of json_string().
  NodeId char_of(const CharSet& set);
  // A whole string with this inside.
  NodeId quoted(NodeId inside) { return grammar_.sequence({quote_, inside, quote_}); }
  NodeId string(std::uint32_t min_length, std::uint32_t max_length);
  // This string and no other; `never` where it cannot be spelled.
  NodeId string_of(std::string_view text);
  // The same as the name of a member.
  NodeId name_of(std::string_view text);
  // Any string but these, each in its usual spelling.
  NodeId string_but(const std::vector<std::string>& names);

  // ---- everything else ----
  NodeId number();   // up to 16 digits in front of the point and behind it, an exponent of two
  NodeId integer();  // up to 16 digits
  NodeId boolean() { return grammar_.choice({text(spelling_.yes), text(spelling_.no)}); }
  NodeId null() { return text(spelling_.null); }
  NodeId member(NodeId name, NodeId value);
  // [ items ], `first` and then more of `rest`; what may be empty is the caller's.
  NodeId bracketed(NodeId inside) { return enclosed("[", inside, "]"); }
  NodeId braced(NodeId inside) { return enclosed("{", inside, "}"); }
  NodeId comma() const { return comma_; }
  // Any value; any but a string; any object; any array.
  NodeId value();
  NodeId value_but_string();
  NodeId object();
  NodeId array();
  // This value and no other.
  NodeId constant(const JsonValue& value);

 private:
  [[nodiscard]] std::string spelled(char32_t code) const;
  NodeId enclosed(std::string_view open, NodeId inside, std::string_view close);
  NodeId others(std::span<const std::u32string> names, std::size_t depth);

  [[nodiscard]] bool escapes() const { return spelling_.quote_text.empty(); }

  Grammar& grammar_;
  JsonSpelling spelling_;
  NodeId blank_, comma_, quote_, any_char_, any_string_;
  std::optional<RuleId> value_;
};

}  // namespace wisp::text::grammar
