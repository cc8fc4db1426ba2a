#include "gpu/shader/expression.h"

#include <array>
#include <charconv>

namespace wisp::gpu {
namespace {

constexpr int kMostExpressionDepth = 64;

bool is_name_start(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// One level of binary operators, weakest first; each list is tried in order, so longer ones stand first.
constexpr std::array<std::array<std::string_view, 6>, 5> kOperators = {{
    {"||"},
    {"&&"},
    {"==", "!=", "<=", ">=", "<", ">"},
    {"+", "-"},
    {"*", "/", "%"},
}};

class Parser {
 public:
  Parser(std::string_view text, const Defines& defines) : rest_(text), defines_(defines) {}

  Result<std::int64_t> whole() {
    WISP_TRY(const std::int64_t value, binary(0));
    skip_blanks();
    if (!rest_.empty()) return fail(Code::internal, "'{}' is left over in an expression", rest_);
    return value;
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }

  bool eat(std::string_view token) {
    skip_blanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  static Result<std::int64_t> apply(std::string_view op, std::int64_t a, std::int64_t b) {
    if (op == "||") return a != 0 || b != 0;
    if (op == "&&") return a != 0 && b != 0;
    if (op == "==") return a == b;
    if (op == "!=") return a != b;
    if (op == "<=") return a <= b;
    if (op == ">=") return a >= b;
    if (op == "<") return a < b;
    if (op == ">") return a > b;
    std::int64_t value = 0;
    bool overflow = false;
    if (op == "+") {
      overflow = __builtin_add_overflow(a, b, &value);
    } else if (op == "-") {
      overflow = __builtin_sub_overflow(a, b, &value);
    } else if (op == "*") {
      overflow = __builtin_mul_overflow(a, b, &value);
    } else if (b == 0) {
      return fail(Code::internal, "a division by zero in an expression");
    } else if (b == -1) {  // the one quotient that may not fit
      if (op == "/") overflow = __builtin_sub_overflow(std::int64_t{0}, a, &value);
    } else {
      value = op == "/" ? a / b : a % b;
    }
    if (overflow) return fail(Code::internal, "{} {} {} does not fit 64 bits", a, op, b);
    return value;
  }

  Result<std::int64_t> binary(std::size_t level) {
    if (level == kOperators.size()) return unary();
    WISP_TRY(std::int64_t value, binary(level + 1));
    while (true) {
      std::string_view op;
      for (const std::string_view candidate : kOperators[level]) {
        if (!candidate.empty() && eat(candidate)) {
          op = candidate;
          break;
        }
      }
      if (op.empty()) return value;
      WISP_TRY(const std::int64_t right, binary(level + 1));
      WISP_TRY(value, apply(op, value, right));
    }
  }

  Result<std::int64_t> unary() {
    if (++depth_ > kMostExpressionDepth) return fail(Code::internal, "an expression is nested too deeply");
    Result<std::int64_t> value = operand();
    --depth_;
    return value;
  }

  Result<std::int64_t> operand() {
    if (eat("!")) {
      WISP_TRY(const std::int64_t value, unary());
      return value == 0;
    }
    if (eat("-")) {
      WISP_TRY(const std::int64_t value, unary());
      return apply("-", 0, value);
    }
    if (eat("(")) {
      WISP_TRY(const std::int64_t value, binary(0));
      if (!eat(")")) return fail(Code::internal, "a ) is missing in an expression");
      return value;
    }
    skip_blanks();
    if (rest_.empty()) return fail(Code::internal, "an expression ends too early");
    return is_digit(rest_.front()) ? number() : name();
  }

  Result<std::int64_t> number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) return fail(Code::internal, "'{}' is no number", rest_);
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::string_view take_name() {
    skip_blanks();
    std::size_t length = 0;
    while (length < rest_.size() && (is_name_start(rest_[length]) || (length > 0 && is_digit(rest_[length])))) ++length;
    const std::string_view result = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return result;
  }

  Result<std::int64_t> name() {
    const std::string_view word = take_name();
    if (word.empty()) return fail(Code::internal, "'{}' is no expression", rest_);
    if (word == "defined") {
      if (!eat("(")) return fail(Code::internal, "defined wants (NAME)");
      const std::string_view asked = take_name();
      if (!eat(")")) return fail(Code::internal, "defined wants (NAME)");
      return defines_.find(asked) != nullptr;
    }
    const std::string* text = defines_.find(word);
    if (text == nullptr) return fail(Code::internal, "'{}' is not defined", word);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size()) {
      return fail(Code::internal, "'{}' is '{}', which is no number", word, *text);
    }
    return value;
  }

  std::string_view rest_;
  const Defines& defines_;
  int depth_ = 0;
};

}  // namespace

Result<std::int64_t> evaluate(std::string_view text, const Defines& defines) { return Parser(text, defines).whole(); }

}  // namespace wisp::gpu
