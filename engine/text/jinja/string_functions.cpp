#include "text/jinja/string_functions.h"

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

bool contains_character(std::string_view characters, std::string_view one) {
  while (!characters.empty()) {
    const std::size_t bytes = character_bytes(characters);
    if (characters.substr(0, bytes) == one) return true;
    characters.remove_prefix(bytes);
  }
  return false;
}

std::string_view last_character(std::string_view text) {
  std::size_t start = text.size() - 1;
  for (std::size_t bytes = 2; bytes <= 4 && bytes <= text.size(); ++bytes)
    if (character_bytes(text.substr(text.size() - bytes)) == bytes) start = text.size() - bytes;
  return text.substr(start);
}

// Where the last `needle` that ends at or before `end` starts, or npos.
std::size_t find_last(std::string_view text, std::string_view needle, std::size_t end) {
  return needle.size() > end ? std::string_view::npos : text.rfind(needle, end - needle.size());
}

std::vector<std::string_view> split_blanks(std::string_view text, std::int64_t max) {
  std::vector<std::string_view> parts;
  for (text = strip_left(text); !text.empty(); text = strip_left(text)) {
    if (max >= 0 && static_cast<std::int64_t>(parts.size()) == max) {
      parts.push_back(text);  // with the blanks at its end, as Python has it
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      const std::size_t bytes = character_bytes(text.substr(end));
      if (is_space(code_point(text.substr(end, bytes)))) break;
      end += bytes;
    }
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return parts;
}

std::vector<std::string_view> split_blanks_from_right(std::string_view text, std::int64_t max) {
  std::vector<std::string_view> parts;
  for (text = strip_right(text); !text.empty(); text = strip_right(text)) {
    if (max >= 0 && static_cast<std::int64_t>(parts.size()) == max) {
      parts.push_back(text);
      break;
    }
    std::size_t start = text.size();
    while (start > 0) {
      const std::string_view character = last_character(text.substr(0, start));
      if (is_space(code_point(character))) break;
      start -= character.size();
    }
    parts.push_back(text.substr(start));
    text = text.substr(0, start);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

std::string_view strip(std::string_view text, std::optional<std::string_view> characters, Side side) {
  const bool left = side != Side::right;
  const bool right = side != Side::left;
  if (!characters) {
    if (left) text = strip_left(text);
    return right ? strip_right(text) : text;
  }
  while (left && !text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (!contains_character(*characters, text.substr(0, bytes))) break;
    text.remove_prefix(bytes);
  }
  while (right && !text.empty()) {
    const std::string_view last = last_character(text);
    if (!contains_character(*characters, last)) break;
    text.remove_suffix(last.size());
  }
  return text;
}

Result<std::string> replace(Context& context, std::string_view text, std::string_view old, std::string_view fresh,
                            std::int64_t count) {
  std::string out;
  std::size_t at = 0;
  const auto put = [&](std::string_view part) -> Status {
    if (out.size() + part.size() > context.limits().max_output_bytes)
      return context.spend_bytes(out.size() + part.size());
    WISP_CHECK(context.spend_bytes(part.size()));
    out += part;
    return {};
  };
  for (std::int64_t done = 0; count < 0 || done < count; ++done) {
    WISP_CHECK(context.spend());
    if (old.empty()) {  // between all characters, and at both ends
      WISP_CHECK(put(fresh));
      if (at >= text.size()) return out;
      const std::size_t bytes = character_bytes(text.substr(at));
      out += text.substr(at, bytes);
      at += bytes;
      continue;
    }
    const std::size_t found = find_text(text, old, at);
    if (found == std::string_view::npos) break;
    WISP_CHECK(put(text.substr(at, found - at)));
    WISP_CHECK(put(fresh));
    at = found + old.size();
  }
  WISP_CHECK(put(text.substr(at)));
  return out;
}

Result<std::vector<Value>> split(Context& context, std::string_view text, std::optional<std::string_view> separator,
                                 std::int64_t max, bool from_right) {
  std::vector<std::string_view> parts;
  if (!separator) {
    parts = from_right ? split_blanks_from_right(text, max) : split_blanks(text, max);
  } else if (separator->empty()) {
    return fail(Code::invalid_argument, "empty separator");
  } else if (from_right) {
    std::size_t end = text.size();
    for (std::size_t at; (max < 0 || static_cast<std::int64_t>(parts.size()) < max) &&
                         (at = find_last(text, *separator, end)) != std::string_view::npos;
         end = at) {
      WISP_CHECK(context.spend(1 + separator->size() / kBytesPerStep));
      parts.push_back(text.substr(at + separator->size(), end - at - separator->size()));
    }
    parts.push_back(text.substr(0, end));
    std::reverse(parts.begin(), parts.end());
  } else {
    std::size_t at = 0;
    for (std::size_t found; (max < 0 || static_cast<std::int64_t>(parts.size()) < max) &&
                            (found = find_text(text, *separator, at)) != std::string_view::npos;
         at = found + separator->size()) {
      WISP_CHECK(context.spend());
      parts.push_back(text.substr(at, found - at));
    }
    parts.push_back(text.substr(at));
  }
  WISP_CHECK(context.spend(2 * parts.size()));
  std::vector<Value> values;
  values.reserve(parts.size());
  for (const std::string_view part : parts) values.push_back(Value::string(std::string(part)));
  return values;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = character_bytes(text.substr(at));
    const char32_t c = code_point(text.substr(at, bytes));
    std::size_t end = at + bytes;
    const bool breaks = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (breaks) {
      if (c == '\r' && end < text.size() && text[end] == '\n') ++end;
      lines.push_back(text.substr(start, (keep_ends ? end : at) - start));
      start = end;
    }
    at = end;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

Result<std::string> justify(Context& context, std::string_view text, std::int64_t width, std::string_view fill,
                            Side side) {
  const auto size = static_cast<std::int64_t>(count_characters(text));
  const std::int64_t missing = std::max<std::int64_t>(0, width - size);
  WISP_CHECK(context.spend_bytes(static_cast<std::uint64_t>(missing)));
  WISP_CHECK(context.spend_bytes(static_cast<std::uint64_t>(missing) * fill.size() + text.size()));
  // Python puts the odd blank of center() to the left when the width is odd.
  const std::int64_t before = side == Side::left    ? 0
                              : side == Side::right ? missing
                                                    : missing / 2 + (missing & width & 1);
  std::string out;
  for (std::int64_t i = 0; i < before; ++i) out += fill;
  out += text;
  for (std::int64_t i = before; i < missing; ++i) out += fill;
  return out;
}

Result<std::string_view> text_argument(std::string_view what, const Value& value) {
  if (!value.is(Kind::string)) return fail(Code::invalid_argument, "{} must be a str, not {}", what, type_name(value));
  return value.as_text();
}

Result<std::int64_t> integer_argument(std::string_view what, const Value& value) {
  if (!value.is_integral()) return fail(Code::invalid_argument, "{} must be an int, not {}", what, type_name(value));
  return value.as_integer();
}

}  // namespace wisp::text::jinja
