// A template may trim a message, cut it up, escape it or leave it out, so where its characters went cannot be told from
// the messages and the rendered text alone. Hence it is rendered twice: once as it is, and once with a mark, a
// character of the private use area that nothing else holds, behind each character of each message. Where the second
// text without its marks is the first one, the template treated both alike, and the marks show which characters came
// from messages. Blanks around a message get no mark: trimming would stop at it.
//
// Templates that look into a message (for "</think>", say) may treat the marked one differently. Then only the control
// tokens that messages spell are marked, which changes nothing that a template looks for. Should even that render
// another text, no prompt is made.
#include "text/chat_prompt.h"

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace wisp::text {
namespace {

constexpr std::string_view kBlanks = " \t\n\v\f\r";
constexpr std::size_t kPrivateCharacters = 0xF900 - 0xE000;  // U+E000 to U+F8FF, three bytes each

enum class Marked : std::uint8_t { characters, spellings };

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

// A character that neither the rendered text nor a message holds.
std::optional<std::string> unused_character(std::string_view rendered, const std::vector<ChatMessage>& messages) {
  std::bitset<kPrivateCharacters> used;
  const auto note_those_of = [&](std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (const auto index = private_character_at(text, at)) used.set(*index);
    }
  };
  note_those_of(rendered);
  for (const ChatMessage& message : messages) note_those_of(message.content);
  for (std::size_t index = 0; index < kPrivateCharacters; ++index) {
    if (!used[index]) return private_character(index);
  }
  return std::nullopt;
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

// Where the marks of `text` stood, as offsets into it without them; nothing where that is not `unmarked`.
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

// The first control token that a message spells.
std::optional<std::string_view> spelled_control(const std::vector<ChatMessage>& messages, const Tokenizer& tokenizer) {
  for (const ChatMessage& message : messages) {
    if (const auto match = tokenizer.find_control(message.content, 0)) {
      return std::string_view(message.content).substr(match->start, match->length);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<TokenId>> encode_chat(const ChatTemplate& form, const Tokenizer& tokenizer,
                                         const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                                         std::int64_t now_unix_seconds) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const auto text_of = [&](std::optional<TokenId> id) { return id ? tokenizer.token_bytes(*id, true) : std::string(); };
  const std::string bos = text_of(vocabulary.bos), eos = text_of(vocabulary.eos);
  const auto render = [&](const std::vector<ChatMessage>& turns) {
    return form.render_chat(turns, add_generation_prompt, bos, eos, now_unix_seconds);
  };
  WISP_TRY(const std::string rendered, render(messages));

  const std::optional<std::string> mark = unused_character(rendered, messages);
  std::optional<std::vector<std::size_t>> marks;
  for (const Marked what : {Marked::characters, Marked::spellings}) {
    if (marks || !mark) break;
    std::vector<ChatMessage> turns = messages;
    for (ChatMessage& turn : turns) turn.content = marked(turn.content, what, tokenizer, *mark);
    if (const auto again = render(turns)) marks = marks_in(*again, *mark, rendered);
  }
  if (!marks) {
    const std::optional<std::string_view> spelled = spelled_control(messages, tokenizer);
    return fail(Code::unsupported,
                "a message spells {}, and this model's template rewrites it in a way that hides whose text that is; "
                "leave it out",
                spelled ? printable(*spelled) : "all characters of the private use area");
  }

  WISP_TRY(std::vector<TokenId> ids, tokenizer.encode(rendered, {.parse_special = true, .plain_ends = *marks}));
  if (vocabulary.add_bos && vocabulary.bos && (ids.empty() || ids.front() != *vocabulary.bos)) {
    ids.insert(ids.begin(), *vocabulary.bos);
  }
  return ids;
}

}  // namespace wisp::text
