#include "text/chat/prompt_marks.h"

#include <algorithm>
#include <bitset>

namespace wisp::text {
namespace {

using jinja::Kind;
using jinja::Value;

constexpr std::string_view kBlanks = " \t\n\v\f\r";
constexpr std::size_t kPrivateCharacters = 0xF900 - 0xE000;  // U+E000 to U+F8FF, three bytes each
using PrivateCharacters = std::bitset<kPrivateCharacters>;

std::string private_character(std::size_t index) {
  const std::size_t code = 0xE000 + index;
  return {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3F)),
          static_cast<char>(0x80 | (code & 0x3F))};
}

// The index of the private character at `at`.
std::optional<std::size_t> private_character_at(std::string_view text, std::size_t at) {
  if (text.size() - at < 3) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if ((byte(0) != 0xEE && byte(0) != 0xEF) || (byte(1) & 0xC0u) != 0x80 || (byte(2) & 0xC0u) != 0x80) return {};
  const std::size_t code = (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
  return code < 0xE000 + kPrivateCharacters ? std::optional(code - 0xE000) : std::nullopt;
}

void note_used(std::string_view text, PrivateCharacters& used) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (const auto index = private_character_at(text, at)) used.set(*index);
  }
}

// Calls visit(text) for each text of the value, keys too. The depth is that of the JSON it was read from.
template <class Visit>
void for_each_text(const Value& value, const Visit& visit) {
  if (value.is(Kind::string)) visit(value.as_text());
  if (value.is_sequence()) {
    for (const Value& item : value.items()) for_each_text(item, visit);
  }
  if (value.is(Kind::dict)) {
    for (const auto& [key, item] : value.as_dict()->entries()) {
      for_each_text(key, visit);
      for_each_text(item, visit);
    }
  }
}

// `text` with `mark` behind each character of [begin, end).
void append_marked(std::string_view text, std::size_t begin, std::size_t end, std::string_view mark, std::string& out) {
  for (std::size_t at = begin; at < end; ++at) {
    out += text[at];
    const bool goes_on = at + 1 < text.size() && (static_cast<unsigned char>(text[at + 1]) & 0xC0u) == 0x80u;
    if (!goes_on) out += mark;
  }
}

std::string marked(std::string_view text, Marked what, const Tokenizer& tokenizer, std::string_view mark) {
  std::string out;
  if (what == Marked::characters) {
    const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
    const std::size_t end = text.find_last_not_of(kBlanks) + 1;  // npos + 1 is 0
    out.append(text.substr(0, begin));
    append_marked(text, begin, end, mark, out);
    out.append(text.substr(std::max(begin, end)));
    return out;
  }
  std::size_t at = 0;
  while (const auto spelled = tokenizer.find_control(text, at)) {
    out.append(text.substr(at, spelled->start - at));
    at = spelled->start + spelled->length;
    append_marked(text, spelled->start, at, mark, out);
  }
  out.append(text.substr(at));
  return out;
}

// Whose text it is.
enum class Place : std::uint8_t { other, content };

class Marker {
 public:
  Marker(const MarkPlan& plan, const Tokenizer& tokenizer, std::string_view mark)
      : plan_(plan), tokenizer_(tokenizer), mark_(mark) {}

  [[nodiscard]] Value copy(const Value& value, Place place, bool structural) const {
    if (value.is(Kind::string)) {
      const Marked what = structural ? Marked::spellings : place == Place::content ? plan_.contents : plan_.others;
      return Value::string(marked(value.as_text(), what, tokenizer_, mark_));
    }
    if (value.is(Kind::list)) {
      std::vector<Value> items;
      items.reserve(value.items().size());
      for (const Value& item : value.items()) items.push_back(copy(item, place, structural));
      return Value::list(std::move(items));
    }
    if (value.is(Kind::dict)) {
      Value made = Value::dict();
      for (const auto& [key, item] : value.as_dict()->entries()) {
        const std::string_view name = key.as_text();
        // What templates compare with and branch on: a mark in it would only make them render something else.
        const bool is_structural = name == "role" || name == "type";
        made.set(marked(name, Marked::spellings, tokenizer_, mark_),
                 copy(item, name == "content" ? Place::content : place, is_structural));
      }
      return made;
    }
    return value;
  }

 private:
  const MarkPlan& plan_;
  const Tokenizer& tokenizer_;
  std::string_view mark_;
};

}  // namespace

std::optional<std::string> unused_character(std::string_view rendered, const Value& variables) {
  PrivateCharacters used;
  note_used(rendered, used);
  for_each_text(variables, [&](std::string_view text) { note_used(text, used); });
  for (std::size_t index = 0; index < kPrivateCharacters; ++index) {
    if (!used[index]) return private_character(index);
  }
  return std::nullopt;
}

Value with_marks(const Value& variables, const MarkPlan& plan, const Tokenizer& tokenizer, std::string_view mark) {
  const Marker marker(plan, tokenizer, mark);
  Value made = Value::dict();
  for (const auto& [key, item] : variables.as_dict()->entries()) {
    const std::string_view name = key.as_text();
    const bool is_free_text = name == "messages" || name == "tools" || name == "functions";
    made.set(name, marker.copy(item, Place::other, !is_free_text));
  }
  return made;
}

std::optional<std::vector<std::size_t>> marks_in(std::string_view text, std::string_view mark,
                                                 std::string_view unmarked) {
  std::vector<std::size_t> places;
  std::size_t place = 0;
  for (std::size_t at = 0;;) {
    const std::size_t next = std::min(text.find(mark, at), text.size());
    if (unmarked.substr(place, next - at) != text.substr(at, next - at)) return std::nullopt;
    place += next - at;
    if (next == text.size()) break;
    if (places.empty() || places.back() != place) places.push_back(place);
    at = next + mark.size();
  }
  return place == unmarked.size() ? std::optional(std::move(places)) : std::nullopt;
}

std::optional<std::string> spelled_control(const Value& value, const Tokenizer& tokenizer) {
  std::optional<std::string> found;
  for_each_text(value, [&](std::string_view text) {
    if (found) return;
    if (const auto match = tokenizer.find_control(text, 0)) found = text.substr(match->start, match->length);
  });
  return found;
}

}  // namespace wisp::text
