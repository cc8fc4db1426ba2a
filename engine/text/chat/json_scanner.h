// Follows a JSON value byte by byte: where values, keys and strings begin and end. Memory is a bit of nesting; the text
// of strings is kept only when asked for. More lenient than JSON about scalars, which are left to whoever reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wisp::text {

class JsonScanner {
 public:
  enum class Event : std::uint8_t {
    none,
    begin,  // this byte begins a value
    key,    // this byte ends a key: text()
    end,    // this byte ends a string (text()), or a list or an object
    bad,    // this byte cannot stand here, or nests deeper than kMaxDepth
  };
  static constexpr std::size_t kMaxDepth = 100;

  Event push(char c);
  [[nodiscard]] std::size_t depth() const { return open_.size(); }
  [[nodiscard]] bool in_string() const { return state_ == State::string || state_ == State::escape; }
  // The first value, which is a string, list or object, has ended.
  [[nodiscard]] bool done() const { return state_ == State::done; }
  // The last string between its quotes, escapes as they were.
  [[nodiscard]] const std::string& text() const { return text_; }
  void keep_text(bool keep) { keep_text_ = keep; }

 private:
  enum class State : std::uint8_t { value, first_value, first_key, key, colon, comma, string, escape, scalar, done };
  Event end_value();
  Event between(char c);

  State state_ = State::value;
  bool string_is_key_ = false, keep_text_ = true;
  std::string open_;  // '{' and '[' around the place
  std::string text_;
};

// "\"" + escaped + "\"" is a JSON string; bytes above ASCII stay. A text may be escaped in pieces.
void append_json_escaped(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

}  // namespace wisp::text
