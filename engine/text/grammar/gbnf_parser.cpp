#include "text/grammar/gbnf_parser.h"

#include <charconv>
#include <map>
#include <string>
#include <vector>

#include "text/grammar/regex_parser.h"
#include "text/utf8.h"

namespace wisp::text::grammar {
namespace {

bool is_name_char(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

class GbnfParser {
 public:
  GbnfParser(std::string_view source, const FindToken& find_token, Grammar& grammar)
      : source_(source), find_token_(find_token), grammar_(grammar) {}

  Status parse() {
    if (!is_utf8(source_)) return fail(Code::invalid_argument, "the grammar is not UTF-8");
    skip_blanks();
    while (at_ < source_.size()) WISP_CHECK(rule());
    for (const auto& [name, known] : rules_) {
      if (known.defined) continue;
      at_ = known.first_use;
      return wrong("rule '{}' is used, but nothing defines it", printable(name));
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) return fail(Code::invalid_argument, "the grammar has no rule 'root', where texts begin");
    grammar_.set_root(grammar_.rule(root->second.id));
    return {};
  }

 private:
  struct KnownRule {
    RuleId id;
    std::size_t first_use;
    bool defined = false;
  };

  template <class... Args>
  [[nodiscard]] std::unexpected<Error> wrong(fmt::format_string<Args...> text, Args&&... args) const {
    const std::string_view before = source_.substr(0, std::min(at_, source_.size()));
    std::size_t line = 1;
    for (const char c : before) line += c == '\n' ? 1 : 0;
    const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    return fail(Code::invalid_argument, "line {}, column {}: {}", line, column,
                fmt::format(text, std::forward<Args>(args)...));
  }

  [[nodiscard]] char peek() const { return at_ < source_.size() ? source_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < source_.size()) {
      if (peek() == '#') {
        at_ = std::min(source_.find('\n', at_), source_.size());
      } else if (std::string_view(" \t\r\n").contains(peek())) {
        ++at_;
      } else {
        return;
      }
    }
  }
  std::string_view name() {
    const std::size_t begin = at_;
    while (at_ < source_.size() && is_name_char(peek())) ++at_;
    return source_.substr(begin, at_ - begin);
  }
  // A `name ::=` starts here.
  [[nodiscard]] bool at_definition() {
    const std::size_t begin = at_;
    const bool named = !name().empty();
    skip_blanks();
    const bool defines = named && source_.substr(at_).starts_with("::=");
    at_ = begin;
    return defines;
  }
  KnownRule& known(std::string_view name, std::size_t use) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second;
    return rules_.emplace(std::string(name), KnownRule{grammar_.declare(name), use}).first->second;
  }

  Status rule() {
    if (!at_definition()) return wrong("a rule is written: name ::= what it stands for");
    const std::size_t begin = at_;
    const std::string_view rule_name = name();
    KnownRule& known_rule = known(rule_name, begin);
    if (known_rule.defined) {
      at_ = begin;
      return wrong("rule '{}' is defined twice", printable(rule_name));
    }
    known_rule.defined = true;
    skip_blanks();
    at_ += 3;
    skip_blanks();
    WISP_TRY(const NodeId body, alternatives(0));
    if (at_ < source_.size() && !at_definition()) return wrong("'{}' is not expected here", printable(rest()));
    grammar_.define(known_rule.id, body);
    return {};
  }
  [[nodiscard]] std::string_view rest() const { return source_.substr(at_, decode_utf8(source_, at_).length); }

  Result<NodeId> alternatives(std::uint32_t depth) {
    std::vector<NodeId> parts;
    while (true) {
      WISP_TRY(parts.emplace_back(), sequence(depth));
      if (peek() != '|') break;
      ++at_;
      skip_blanks();
    }
    return grammar_.choice(parts);
  }

  Result<NodeId> sequence(std::uint32_t depth) {
    std::vector<NodeId> parts;
    while (at_ < source_.size() && peek() != '|' && peek() != ')' && !at_definition()) {
      WISP_TRY(NodeId node, item(depth));
      skip_blanks();
      while (std::string_view("*+?{").contains(peek()) && at_ < source_.size()) {
        WISP_TRY(node, repeated(node));
        skip_blanks();
      }
      parts.push_back(node);
    }
    return grammar_.sequence(parts);
  }

  Result<NodeId> item(std::uint32_t depth) {
    const char c = peek();
    if (c == '"') return literal();
    if (c == '[') return char_class();
    if (c == '<') return token();
    if (c == '.') {
      ++at_;
      return grammar_.chars(CharSet::all());
    }
    if (c == '(') {
      if (depth >= kMaxGbnfNesting) return wrong("groups lie more than {} deep in each other", kMaxGbnfNesting);
      ++at_;
      skip_blanks();
      WISP_TRY(const NodeId node, alternatives(depth + 1));
      if (peek() != ')') return wrong("a group is not closed by ')'");
      ++at_;
      return node;
    }
    const std::size_t begin = at_;
    const std::string_view used = name();
    if (used.empty()) return wrong("'{}' is not expected here", printable(rest()));
    return grammar_.rule(known(used, begin).id);
  }

  Result<std::uint32_t> count() {
    std::uint32_t value = 0;
    const char* const begin = source_.data() + at_;
    const auto [end, error] = std::from_chars(begin, source_.data() + source_.size(), value);
    if (error == std::errc::result_out_of_range || value > kMaxRepetitions) {
      return wrong("more than {} repetitions", kMaxRepetitions);
    }
    if (error != std::errc{}) return wrong("a number of repetitions is expected");
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  Result<NodeId> repeated(NodeId node) {
    const char c = source_[at_++];
    if (c == '*') return grammar_.star(node);
    if (c == '+') return grammar_.plus(node);
    if (c == '?') return grammar_.optional(node);
    skip_blanks();
    std::uint32_t min = 0;
    if (peek() != ',') {
      WISP_TRY(min, count());
    }
    std::uint32_t max = min;
    skip_blanks();
    if (peek() == ',') {
      ++at_;
      skip_blanks();
      max = kUnbounded;
      if (peek() != '}') {
        WISP_TRY(max, count());
      }
    }
    skip_blanks();
    if (peek() != '}') return wrong("repetitions are written {{n}}, {{n,}} or {{n,m}}");
    if (min > max) return wrong("from {} to {} repetitions is the wrong way round", min, max);
    ++at_;
    return grammar_.repeat(node, min, max);
  }

  // ---- characters ----

  // One character, escaped or not.
  Result<char32_t> character() {
    if (peek() != '\\') {
      const Utf8Char next = decode_utf8(source_, at_);
      at_ += next.length;
      return next.code;
    }
    ++at_;
    const char c = peek();
    std::size_t digits = 0;
    switch (c) {
      case 'n': ++at_; return U'\n';
      case 't': ++at_; return U'\t';
      case 'r': ++at_; return U'\r';
      case 'x': digits = 2; break;
      case 'u': digits = 4; break;
      case 'U': digits = 8; break;
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^': ++at_; return static_cast<char32_t>(c);
      default:
        return wrong("'\\{}' is no escape; there are \\n \\t \\r \\\\ \\\" \\[ \\] \\- \\^ \\x \\u \\U",
                     printable(at_ < source_.size() ? rest() : std::string_view()));
    }
    ++at_;
    std::uint32_t code = 0;
    const std::string_view text = source_.substr(std::min(at_, source_.size()), digits);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
    if (error != std::errc{} || end != text.data() + digits)
      return wrong("\\{} needs {} hexadecimal digits", c, digits);
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return wrong("U+{:04X} is no character", code);
    at_ += digits;
    return static_cast<char32_t>(code);
  }

  Result<NodeId> literal() {
    ++at_;
    std::string text;
    while (peek() != '"') {
      if (at_ >= source_.size() || peek() == '\n') return wrong("a text is not closed by '\"'");
      WISP_TRY(const char32_t code, character());
      append_utf8(text, code);
    }
    ++at_;
    return grammar_.literal(text);
  }

  Result<NodeId> char_class() {
    ++at_;
    const bool negative = peek() == '^';
    if (negative) ++at_;
    std::vector<CharRange> ranges;
    while (peek() != ']') {
      if (at_ >= source_.size()) return wrong("a class is not closed by ']'");
      WISP_TRY(const char32_t first, character());
      char32_t last = first;
      if (peek() == '-' && at_ + 1 < source_.size() && source_[at_ + 1] != ']') {
        ++at_;
        WISP_TRY(last, character());
        if (last < first) return wrong("a range runs backwards");
      }
      ranges.push_back({first, last});
    }
    ++at_;
    const CharSet set(std::move(ranges));
    return grammar_.chars(negative ? set.complement() : set);
  }

  Result<NodeId> token() {
    const std::size_t end = source_.find('>', at_);
    if (end == std::string_view::npos || end == at_ + 1) return wrong("a token is written <text> or <[id]>");
    const std::string_view inside = source_.substr(at_ + 1, end - at_ - 1);
    const bool by_id = inside.starts_with('[') && inside.ends_with(']');
    const std::optional<TokenId> id =
        find_token_ ? find_token_(by_id ? inside : source_.substr(at_, end + 1 - at_)) : std::nullopt;
    if (!id) return wrong("the vocabulary has no token <{}>", printable(inside));
    at_ = end + 1;
    return grammar_.token(*id);
  }

  std::string_view source_;
  std::size_t at_ = 0;
  const FindToken& find_token_;
  Grammar& grammar_;
  std::map<std::string, KnownRule, std::less<>> rules_;
};

}  // namespace

Status parse_gbnf(std::string_view source, const FindToken& find_token, Grammar& grammar) {
  return GbnfParser(source, find_token, grammar).parse();
}

}  // namespace wisp::text::grammar
