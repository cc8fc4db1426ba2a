#include "text/grammar/regex_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

#include "text/utf8.h"

namespace wisp::text::grammar {
namespace {

struct Bounds {
  std::uint32_t min, max;
};

std::uint32_t bounded(std::uint64_t length) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(length, kUnbounded));
}

class RegexParser {
 public:
  RegexParser(std::string_view pattern, Grammar& grammar, CharClasses& classes, const RegexOptions& options)
      : pattern_(pattern), grammar_(grammar), classes_(classes), options_(options) {}

  Result<Pattern> parse() {
    if (!is_utf8(pattern_)) return fail(Code::invalid_argument, "the pattern is not UTF-8");
    if (options_.search) {
      const Pattern any = one_of(CharSet::all());
      anything_ = {.node = grammar_.star(any.node), .shortest = 0, .longest = kUnbounded, .unit = any.node};
    }
    WISP_TRY(const Pattern all, alternatives(true, true, 0));
    if (at_ < pattern_.size()) return wrong("')' closes nothing");
    return all;
  }

 private:
  template <class... Args>
  [[nodiscard]] std::unexpected<Error> wrong(fmt::format_string<Args...> text, Args&&... args) const {
    return fail(Code::invalid_argument, "at byte {} of the pattern: {}", at_ + 1,
                fmt::format(text, std::forward<Args>(args)...));
  }
  [[nodiscard]] std::unexpected<Error> cannot_hold(std::string_view what) const {
    return fail(Code::unsupported, "at byte {} of the pattern: {} cannot be held by a grammar; write it without",
                at_ + 1, what);
  }

  [[nodiscard]] bool ends() const { return at_ >= pattern_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  [[nodiscard]] bool alternative_ends(std::size_t at) const {
    return at >= pattern_.size() || pattern_[at] == '|' || pattern_[at] == ')';
  }
  Pattern one_of(const CharSet& set) {
    const NodeId node = options_.spell ? options_.spell(set) : grammar_.chars(set);
    return {.node = node, .shortest = 1, .longest = 1, .unit = node};
  }
  Pattern in_turn(std::span<const Pattern> pieces) {
    if (pieces.size() == 1) return pieces.front();
    Pattern all;
    std::vector<NodeId> nodes;
    for (const Pattern& piece : pieces) {
      nodes.push_back(piece.node);
      all.shortest = bounded(std::uint64_t{all.shortest} + piece.shortest);
      all.longest = bounded(std::uint64_t{all.longest} + piece.longest);
    }
    all.node = grammar_.sequence(nodes);
    return all;
  }
  Pattern either(std::span<const Pattern> pieces) {
    if (pieces.size() == 1) return pieces.front();
    Pattern all{.node = {}, .shortest = kUnbounded};
    std::vector<NodeId> nodes;
    for (const Pattern& piece : pieces) {
      nodes.push_back(piece.node);
      all.shortest = std::min(all.shortest, piece.shortest);
      all.longest = std::max(all.longest, piece.longest);
    }
    all.node = grammar_.choice(nodes);
    if (all.shortest == 1 && all.longest == 1) all.unit = all.node;
    return all;
  }

  // `first`, `last`: nothing of the pattern comes before or behind, so anchors may stand there, and where none does a
  // search goes on.
  Result<Pattern> alternatives(bool first, bool last, std::uint32_t depth) {
    std::vector<Pattern> parts;
    while (true) {
      WISP_TRY(parts.emplace_back(), alternative(first, last, depth));
      if (peek() != '|') break;
      ++at_;
    }
    return either(parts);
  }

  Result<Pattern> alternative(bool first, bool last, std::uint32_t depth) {
    std::vector<Pattern> parts;
    bool begins = !first, finishes = !last;  // dealt with
    for (; peek() == '^'; ++at_) {
      if (!first) return cannot_hold("a '^' inside");
      begins = true;
    }
    const std::size_t begin = at_;
    while (!alternative_ends(at_)) {
      if (peek() == '$') {
        while (peek() == '$') ++at_;
        if (!last || !alternative_ends(at_)) return cannot_hold("a '$' inside");
        finishes = true;
        break;
      }
      if (peek() == '(') {
        const std::size_t behind = behind_group();
        const bool repeats = behind < pattern_.size() && std::string_view("*+?{").contains(pattern_[behind]);
        const bool is_first = first && at_ == begin && !begins && !repeats;
        const bool is_last = last && alternative_ends(behind) && !repeats;
        WISP_TRY(parts.emplace_back(), group(is_first, is_last, depth));
        begins = begins || is_first;
        finishes = finishes || is_last;
      } else {
        WISP_TRY(parts.emplace_back(), atom());
      }
      WISP_TRY(parts.back(), quantified(parts.back()));
    }
    const bool only_anything = parts.empty() && !begins && !finishes;
    if (options_.search && !begins) parts.insert(parts.begin(), anything_);
    if (options_.search && !finishes && !only_anything) parts.push_back(anything_);
    return in_turn(parts);
  }

  // The place behind the group that starts here, its ')' or the end.
  [[nodiscard]] std::size_t behind_group() const {
    std::uint32_t open = 0;
    bool in_class = false;
    for (std::size_t at = at_; at < pattern_.size(); ++at) {
      const char c = pattern_[at];
      if (c == '\\') {
        ++at;
      } else if (in_class) {
        in_class = c != ']';
      } else if (c == '[') {
        in_class = true;
      } else if (c == '(') {
        ++open;
      } else if (c == ')' && --open == 0) {
        return at + 1;
      }
    }
    return pattern_.size();
  }

  Result<Pattern> group(bool first, bool last, std::uint32_t depth) {
    if (depth >= kMaxRegexNesting) return wrong("groups lie more than {} deep in each other", kMaxRegexNesting);
    for (const std::string_view look : {"(?=", "(?!", "(?<=", "(?<!"}) {
      if (next_is(look)) return cannot_hold("a look ahead or behind");
    }
    ++at_;
    if (next_is("?:")) {
      at_ += 2;
    } else if (next_is("?<") || next_is("?P<")) {
      const std::size_t end = pattern_.find('>', at_);
      if (end == std::string_view::npos) return wrong("the group's name has no '>'");
      at_ = end + 1;
    } else if (peek() == '?') {
      return cannot_hold("a flag or an assertion");
    }
    WISP_TRY(Pattern inside, alternatives(first, last, depth + 1));
    if (peek() != ')') return wrong("a group is not closed by ')'");
    ++at_;
    return inside;
  }

  // A number of decimal digits at `at`, which moves behind it; nothing where there is none, or too large a one.
  [[nodiscard]] std::optional<std::uint32_t> number(std::size_t& at) const {
    std::uint32_t value = 0;
    const char* const begin = pattern_.data() + at;
    const auto [end, error] = std::from_chars(begin, pattern_.data() + pattern_.size(), value);
    if (error != std::errc{} || value > kMaxRepetitions) return std::nullopt;
    at += static_cast<std::size_t>(end - begin);
    return value;
  }

  // "{2}", "{2,}", "{,3}", "{2,3}"; anything else in braces is text.
  Result<std::optional<Bounds>> braces() {
    std::size_t at = at_ + 1;
    const std::size_t close = pattern_.find('}', at);
    if (close == std::string_view::npos || close == at) return std::nullopt;
    const std::string_view inside = pattern_.substr(at, close - at);
    if (inside.find_first_not_of("0123456789,") != std::string_view::npos || inside == ",") return std::nullopt;
    std::optional<std::uint32_t> min = 0, max;
    if (pattern_[at] != ',') min = number(at);
    max = min;
    if (at < close && pattern_[at] == ',') {
      ++at;
      max = at == close ? kUnbounded : number(at);
    }
    if (!min || !max || at != close) {
      return wrong("'{{{}}}' is no count of repetitions, or one above {}", printable(inside), kMaxRepetitions);
    }
    if (*min > *max) return wrong("the repetitions {{{}}} are the wrong way round", printable(inside));
    at_ = close + 1;
    return Bounds{*min, *max};
  }

  Result<Pattern> quantified(Pattern piece) {
    std::optional<Bounds> bounds;
    switch (peek()) {
      case '*': bounds = {0, kUnbounded}; break;
      case '+': bounds = {1, kUnbounded}; break;
      case '?': bounds = {0, 1}; break;
      case '{': {
        WISP_TRY(bounds, braces());
        if (!bounds) return piece;
        --at_;
        break;
      }
      default: return piece;
    }
    if (ends()) return piece;
    ++at_;
    if (peek() == '+') return cannot_hold("a possessive quantifier");
    if (peek() == '?') ++at_;  // lazy or greedy, the texts are the same
    if (std::string_view("*?").contains(peek()) && !ends()) return wrong("a quantifier stands behind a quantifier");
    Pattern all{.node = grammar_.repeat(piece.node, bounds->min, bounds->max)};
    all.shortest = bounded(std::uint64_t{piece.shortest} * bounds->min);
    all.longest = piece.longest == 0 ? 0 : bounded(std::uint64_t{piece.longest} * bounds->max);
    if (piece.shortest == 1 && piece.longest == 1) all.unit = piece.node;
    return all;
  }

  // ---- single characters ----

  Result<Pattern> atom() {
    const char c = peek();
    if (c == '.') {
      ++at_;
      return one_of(CharClasses::dot());
    }
    if (c == '[') return bracket();
    if (c == '^') return cannot_hold("a '^' inside");
    if (std::string_view("*+?").contains(c)) return wrong("'{}' repeats nothing", c);
    if (c == '{') {
      WISP_TRY(const std::optional<Bounds> bounds, braces());
      if (bounds) return wrong("the braces repeat nothing");
    }
    if (c == '\\') {
      WISP_TRY(const CharClass escaped, escape(false));
      return one_of(escaped.sure);
    }
    return one_of(single(character()).sure);
  }

  static CharClass single(char32_t code) {
    const CharSet set = {{code, code}};
    return {set, set};
  }
  char32_t character() {
    const Utf8Char next = decode_utf8(pattern_, at_);
    at_ += next.length;
    return next.code;
  }

  Result<char32_t> hex(std::size_t least, std::size_t most) {
    std::size_t n = 0;
    char32_t value = 0;
    for (; n < most && !ends(); ++n, ++at_) {
      const char c = peek();
      const bool digit = c >= '0' && c <= '9';
      const char lower = static_cast<char>(c | 0x20);
      if (!digit && (lower < 'a' || lower > 'f')) break;
      value = value * 16 + static_cast<char32_t>(digit ? c - '0' : lower - 'a' + 10);
    }
    if (n < least) return wrong("an escape needs {} hexadecimal digits", least);
    return value;
  }

  // Behind "\u".
  Result<char32_t> unicode_escape() {
    if (peek() == '{') {
      ++at_;
      WISP_TRY(const char32_t code, hex(1, 6));
      if (peek() != '}') return wrong("\\u{{ is not closed");
      ++at_;
      return code;
    }
    WISP_TRY(const char32_t high, hex(4, 4));
    if (high < 0xD800 || high > 0xDBFF || !next_is("\\u")) return high;
    at_ += 2;
    WISP_TRY(const char32_t low, hex(4, 4));
    if (low < 0xDC00 || low > 0xDFFF) return wrong("half a surrogate pair");
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }

  Result<CharClass> property(bool negative) {
    const std::size_t end = pattern_.find('}', at_);
    if (peek() != '{' || end == std::string_view::npos) return wrong("\\p needs a category in braces");
    const std::string_view name = pattern_.substr(at_ + 1, end - at_ - 1);
    const std::optional<CharSet> set = CharClasses::category_set(name);
    if (!set) return wrong("'{}' is no general category, such as L or Nd", printable(name));
    at_ = end + 1;
    const CharClass both = {*set, *set};
    return negative ? both.negated() : both;
  }

  // At the backslash.
  Result<CharClass> escape(bool in_class) {
    ++at_;
    if (ends()) return wrong("a backslash at the end");
    const char c = peek();
    if (static_cast<unsigned char>(c) >= 0x80) return single(character());
    if (c >= '1' && c <= '9') return cannot_hold("a back reference");
    if ((c == 'b' && !in_class) || c == 'B') return cannot_hold("a word boundary");
    ++at_;
    switch (c) {
      case 'd': return classes_.digit();
      case 'D': return classes_.digit().negated();
      case 'w': return classes_.word();
      case 'W': return classes_.word().negated();
      case 's': return classes_.space();
      case 'S': return classes_.space().negated();
      case 't': return single(U'\t');
      case 'n': return single(U'\n');
      case 'r': return single(U'\r');
      case 'f': return single(U'\f');
      case 'v': return single(U'\v');
      case 'b': return single(U'\b');
      case '0': return single(0);
      case 'p': return property(false);
      case 'P': return property(true);
      case 'x': {
        WISP_TRY(const char32_t code, hex(2, 2));
        return single(code);
      }
      case 'u': {
        WISP_TRY(const char32_t code, unicode_escape());
        return single(code);
      }
      default: break;
    }
    const char lower = static_cast<char>(c | 0x20);
    if ((lower >= 'a' && lower <= 'z') || c == '_') return wrong("'\\{}' is no escape that is known here", c);
    return single(static_cast<char32_t>(c));
  }

  Result<CharClass> class_member() {
    if (peek() == '\\') return escape(true);
    return single(character());
  }

  Result<Pattern> bracket() {
    ++at_;
    const bool negative = peek() == '^';
    if (negative) ++at_;
    if (peek() == ']') return wrong("an empty class; write \\] for the bracket itself");
    CharClass set;
    while (peek() != ']') {
      if (ends()) return wrong("a class is not closed by ']'");
      WISP_TRY(const CharClass from, class_member());
      if (peek() != '-' || peek(1) == ']' || at_ + 1 >= pattern_.size()) {
        set.add(from);
        continue;
      }
      ++at_;
      WISP_TRY(const CharClass to, class_member());
      const std::vector<CharRange>&a = from.sure.ranges(), &b = to.sure.ranges();
      const bool plain = a.size() == 1 && b.size() == 1 && a[0].first == a[0].last && b[0].first == b[0].last;
      if (!plain) return wrong("a range goes from one character to another");
      if (a[0].first > b[0].first) return wrong("a range runs backwards");
      const CharSet range = {{a[0].first, b[0].first}};
      set.add({range, range});
    }
    ++at_;
    return one_of(negative ? set.negated().sure : set.sure);
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  Grammar& grammar_;
  CharClasses& classes_;
  const RegexOptions& options_;
  Pattern anything_;
};

}  // namespace

Result<Pattern> parse_regex(std::string_view pattern, Grammar& grammar, CharClasses& classes,
                            const RegexOptions& options) {
  return RegexParser(pattern, grammar, classes, options).parse();
}

}  // namespace wisp::text::grammar
