#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>

#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

constexpr std::array<std::string_view, 26> kOperators = {
    // Longest first: the first that matches is taken.
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_digit(char c, int base = 10) {
  if (base <= 10) return c >= '0' && c < '0' + base;
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Names may hold any letter; bytes past ASCII are taken as parts of one.
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) WISP_CHECK(data_and_tag());
    push(TokenType::end, "", source_.size());
    return std::move(tokens_);
  }

 private:
  template <class... Args>
  [[nodiscard]] std::unexpected<Error> refuse(std::size_t offset, fmt::format_string<Args...> text, Args&&... args) {
    return fail(Code::invalid_file, "{}: {}", place(source_, static_cast<std::uint32_t>(offset)),
                fmt::format(text, std::forward<Args>(args)...));
  }

  void push(TokenType type, std::string_view text, std::size_t offset) {
    tokens_.push_back(Token{type, std::string(text), static_cast<std::uint32_t>(offset), 0, 0});
  }

  [[nodiscard]] bool looking_at(std::string_view text, std::size_t from) const {
    return source_.substr(std::min(from, source_.size())).starts_with(text);
  }

  [[nodiscard]] std::size_t after_spaces(std::size_t from) const {
    return source_.size() - strip_left(source_.substr(from)).size();
  }

  // Text up to the next tag, and that tag.
  Status data_and_tag() {
    std::size_t tag = source_.find('{', at_);
    while (tag != std::string_view::npos && !looking_at("{{", tag) && !looking_at("{%", tag) && !looking_at("{#", tag))
      tag = source_.find('{', tag + 1);
    if (tag == std::string_view::npos) {
      push(TokenType::data, source_.substr(at_), at_);
      at_ = source_.size();
      return {};
    }
    const char type = source_[tag + 1];
    const std::size_t start = at_;
    at_ = tag + 2;
    const char sign = read_sign();
    push_data(start, tag, sign, type != '{');
    if (type == '#') return comment(tag);
    if (type == '{') return inside(tag, TokenType::variable_begin, TokenType::variable_end);
    if (const std::size_t body = raw_body(); body != 0) {
      at_ = body;
      return raw(tag);
    }
    return inside(tag, TokenType::block_begin, TokenType::block_end);
  }

  // The sign right after an opening delimiter, or 0.
  char read_sign() {
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) return source_[at_++];
    return 0;
  }

  // Text before a tag whose opening has `sign`; variable tags are not stripped of the blanks before them.
  void push_data(std::size_t start, std::size_t end, char sign, bool strip_line) {
    std::string_view text = source_.substr(start, end - start);
    if (sign == '-') {
      text = strip_right(text);
    } else if (sign != '+' && strip_line) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      const bool from_line_start = line > 0 || start == 0 || source_[start - 1] == '\n';
      if (from_line_start && strip_left(text.substr(line)).empty()) text = text.substr(0, line);
    }
    if (!text.empty()) push(TokenType::data, text, start);
  }

  // Moves behind the closing delimiter `end` of two characters, at `at`, and what its sign takes along.
  void close(std::size_t at, char sign) {
    at_ = at + 2;
    if (sign == '-') {
      at_ = after_spaces(at_);
    } else if (sign != '+' && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
  }

  Status comment(std::size_t tag) {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) return refuse(tag, "the comment that starts here has no '#}}'");
    close(end, end > at_ ? source_[end - 1] : '\0');
    return {};
  }

  // Where the text of {% raw %} starts when the block tag just opened is one, otherwise 0.
  [[nodiscard]] std::size_t raw_body() const {
    std::size_t at = after_spaces(at_);
    if (!looking_at("raw", at)) return 0;
    at = after_spaces(at + 3);
    if (looking_at("-%}", at)) return after_spaces(at + 3);
    return looking_at("%}", at) ? at + 2 : 0;
  }

  Status raw(std::size_t tag) {
    const std::size_t start = at_;
    for (std::size_t end = source_.find("{%", at_); end != std::string_view::npos; end = source_.find("{%", end + 2)) {
      at_ = end + 2;
      const char sign = read_sign();
      std::size_t at = after_spaces(at_);
      if (!looking_at("endraw", at)) continue;
      at = after_spaces(at + 6);
      const char closing = looking_at("-%}", at) ? '-' : looking_at("+%}", at) ? '+' : '\0';
      if (closing != '\0') ++at;
      if (!looking_at("%}", at)) continue;
      push_data(start, end, sign, true);
      close(at, closing);
      return {};
    }
    return refuse(tag, "the raw block that starts here has no '{{% endraw %}}'");
  }

  // The tokens of a variable or block tag up to its end. Inside brackets an end is not one: {{ {'a': {}} }}.
  Status inside(std::size_t tag, TokenType begin, TokenType end) {
    push(begin, source_.substr(tag, 2), tag);
    const std::string_view closing = end == TokenType::block_end ? "%}" : "}}";
    std::string open;  // the brackets not yet closed
    while (true) {
      at_ = after_spaces(at_);
      if (at_ >= source_.size()) return refuse(tag, "the tag that starts here has no '{}'", closing);
      if (open.empty()) {
        const char sign = source_[at_];
        const bool block = end == TokenType::block_end;
        if (looking_at(closing, at_) || ((sign == '-' || (sign == '+' && block)) && looking_at(closing, at_ + 1))) {
          push(end, closing, at_);
          if (sign == '-') {
            close(at_ + 1, '-');
          } else if (block) {
            close(sign == '+' ? at_ + 1 : at_, sign);
          } else {
            at_ += 2;
          }
          return {};
        }
      }
      WISP_CHECK(token(open));
    }
  }

  Status token(std::string& open) {
    const char c = source_[at_];
    if (is_digit(c)) return number();
    if (is_name_start(c)) {
      const std::size_t start = at_;
      while (at_ < source_.size() && (is_name_start(source_[at_]) || is_digit(source_[at_]))) ++at_;
      push(TokenType::name, source_.substr(start, at_ - start), start);
      return {};
    }
    if (c == '\'' || c == '"') return string();
    for (const std::string_view op : kOperators) {
      if (!looking_at(op, at_)) continue;
      if (c == '(' || c == '[' || c == '{') open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
      if (c == ')' || c == ']' || c == '}') {
        if (open.empty()) return refuse(at_, "unexpected '{}'", c);
        if (open.back() != c) return refuse(at_, "unexpected '{}', expected '{}'", c, open.back());
        open.pop_back();
      }
      push(TokenType::op, op, at_);
      at_ += op.size();
      return {};
    }
    return refuse(at_, "unexpected character '{}'",
                  printable(source_.substr(at_, character_bytes(source_.substr(at_)))));
  }

  // Digits with single underscores between them, from `at` on; the end of what matches.
  [[nodiscard]] std::size_t digits(std::size_t at, int base) const {
    while (at < source_.size() && (is_digit(source_[at], base) ||
                                   (source_[at] == '_' && at + 1 < source_.size() && is_digit(source_[at + 1], base))))
      ++at;
    return at;
  }

  Status number() {
    const std::size_t start = at_;
    int base = 10;
    if (source_[at_] == '0' && at_ + 2 < source_.size()) {
      const char mark = static_cast<char>(source_[at_ + 1] | 0x20);
      const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
      if (marked != 10 && is_digit(source_[at_ + 2], marked)) {
        base = marked;
        at_ += 2;
      }
    }
    const std::size_t first = at_;
    at_ = digits(at_, base);
    bool real = false;
    if (base == 10) {
      if (at_ + 1 < source_.size() && source_[at_] == '.' && is_digit(source_[at_ + 1])) {
        real = true;
        at_ = digits(at_ + 1, 10);
      }
      std::size_t exponent = at_;
      if (exponent < source_.size() && (source_[exponent] | 0x20) == 'e') {
        ++exponent;
        if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
        if (exponent < source_.size() && is_digit(source_[exponent])) {
          real = true;
          at_ = digits(exponent, 10);
        }
      }
    }
    std::string text(source_.substr(first, at_ - first));
    std::erase(text, '_');
    push(real ? TokenType::real : TokenType::integer, text, start);
    Token& made = tokens_.back();
    const char* last = text.data() + text.size();
    const std::from_chars_result read =
        real ? std::from_chars(text.data(), last, made.real) : std::from_chars(text.data(), last, made.integer, base);
    if (read.ec != std::errc{} || read.ptr != last)
      return refuse(start, "the number {} does not fit 64 bits", printable(text, 40));
    return {};
  }

  Status string() {
    const std::size_t start = at_;
    const char quote = source_[at_++];
    std::string value;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] != '\\') {
        value.push_back(source_[at_++]);
        continue;
      }
      ++at_;
      if (at_ < source_.size()) WISP_CHECK(escape(value));
    }
    if (at_ >= source_.size()) return refuse(start, "the string that starts here is not closed");
    ++at_;
    push(TokenType::string, value, start);
    return {};
  }

  // What follows a backslash, as Python reads it; an unknown escape stays as it is.
  Status escape(std::string& value) {
    const std::size_t start = at_ - 1;
    const char c = source_[at_++];
    constexpr std::string_view kNames = "nrtabfv\\'\"\n";
    constexpr std::string_view kValues = "\n\r\t\a\b\f\v\\'\"";
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
      if (known < kValues.size()) value.push_back(kValues[known]);  // a backslash at the end of a line joins lines
      return {};
    }
    std::size_t length = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    int base = 16;
    if (length == 0 && is_digit(c, 8)) {
      base = 8;
      --at_;
      while (length < 3 && at_ + length < source_.size() && is_digit(source_[at_ + length], 8)) ++length;
    }
    if (length == 0) {
      value.push_back('\\');
      value.push_back(c);
      return {};
    }
    std::uint32_t code = 0;
    const std::string_view text = source_.substr(at_, length);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), code, base);
    if (read.ec != std::errc{} || read.ptr != text.data() + length || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
      return refuse(start, "the escape '\\{}' names no character", c);
    append_utf8(value, code);
    at_ += length;
    return {};
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalise_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out.push_back(source[i]);
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string place(std::string_view source, std::uint32_t offset) {
  const std::string_view before = source.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column =
      1 + count_characters(newline == std::string_view::npos ? before : before.substr(newline + 1));
  return fmt::format("line {}, column {}", line, column);
}

Result<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace wisp::text::jinja
