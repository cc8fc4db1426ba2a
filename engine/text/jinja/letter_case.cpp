#include "text/jinja/letter_case.h"

#include "text/jinja/utf8.h"
#include "text/unicode.h"

namespace wisp::text::jinja {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3, kSigma = 0x3C3, kFinalSigma = 0x3C2;
constexpr char32_t kDottedI = 0x130;  // whose lower case is an i and a dot

bool is_title(char32_t c) { return category(c) == Category::Lt; }
bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

// Stands within words without being a letter that has a case: marks, modifiers, apostrophes, dots.
bool is_ignored(char32_t c) {
  switch (category(c)) {
    case Category::Mn:
    case Category::Me:
    case Category::Cf:
    case Category::Lm:
    case Category::Sk: return true;
    default: return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 || c == 0x2019 || c == 0x2024;
  }
}

std::string_view first_character(std::string_view text) { return text.substr(0, character_bytes(text)); }

bool cased_follows(std::string_view text) {
  while (!text.empty() && is_ignored(code_point(first_character(text)))) text.remove_prefix(character_bytes(text));
  return !text.empty() && is_cased(code_point(first_character(text)));
}

bool is_stray(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

// Goes through a text character by character; a sigma at the end of a word has a lower case of its own.
class Mapper {
 public:
  explicit Mapper(std::string_view text) : rest_(text) { out_.reserve(text.size()); }
  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] char32_t peek() const { return code_point(first_character(rest_)); }

  void lower() {
    const char32_t c = next();
    if (c == kDottedI) {
      out_ += "i\u0307";
    } else if (c == kCapitalSigma) {
      append_utf8(out_, word_before_ && !cased_follows(rest_) ? kFinalSigma : kSigma);
    } else {
      append_utf8(out_, is_stray(c) ? c : to_lower(c));
    }
    note(c);
  }
  void upper() {
    const char32_t c = next();
    is_stray(c) ? append_utf8(out_, c) : append_upper(out_, c);
    note(c);
  }
  void title() {
    const char32_t c = next();
    is_stray(c) ? append_utf8(out_, c) : append_title(out_, c);
    note(c);
  }
  void keep() {
    const char32_t c = next();
    append_utf8(out_, c);
    note(c);
  }
  std::string take() { return std::move(out_); }

 private:
  char32_t next() {
    const char32_t c = peek();
    rest_.remove_prefix(character_bytes(rest_));
    return c;
  }
  void note(char32_t c) {
    if (!is_ignored(c)) word_before_ = is_cased(c);
  }

  std::string_view rest_;
  std::string out_;
  bool word_before_ = false;  // a letter with a case stands in front, with ignored characters between at most
};

}  // namespace

bool is_upper(char32_t c) { return category(c) == Category::Lu || (!is_title(c) && to_lower(c) != c); }
bool is_lower(char32_t c) {
  return category(c) == Category::Ll || c == 0xAA || c == 0xBA || (!is_title(c) && to_upper(c) != c);
}
bool is_alphabetic(char32_t c) { return is_letter(c); }
bool is_decimal(char32_t c) { return category(c) == Category::Nd; }
bool is_digit(char32_t c) {
  return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089);
}
bool is_numeric(char32_t c) { return is_number(c); }
bool is_alphanumeric(char32_t c) { return is_letter(c) || is_number(c); }

std::string lower(std::string_view text) {
  Mapper mapper(text);
  while (!mapper.done()) mapper.lower();
  return mapper.take();
}

std::string upper(std::string_view text) {
  Mapper mapper(text);
  while (!mapper.done()) mapper.upper();
  return mapper.take();
}

std::string capitalize(std::string_view text) {
  Mapper mapper(text);
  if (!mapper.done()) mapper.title();
  while (!mapper.done()) mapper.lower();
  return mapper.take();
}

std::string title(std::string_view text) {
  Mapper mapper(text);
  bool inside = false;
  while (!mapper.done()) {
    const bool cased = is_cased(mapper.peek());
    inside ? mapper.lower() : mapper.title();
    inside = cased;
  }
  return mapper.take();
}

std::string swap_case(std::string_view text) {
  Mapper mapper(text);
  while (!mapper.done()) {
    const char32_t c = mapper.peek();
    if (is_upper(c)) {
      mapper.lower();
    } else if (is_lower(c)) {
      mapper.upper();
    } else {
      mapper.keep();
    }
  }
  return mapper.take();
}

}  // namespace wisp::text::jinja
