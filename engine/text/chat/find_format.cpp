// How a model answers, from what its template writes around a call, a text and a thought that are known; and, where a
// template writes no calls, from the marks that its text names.
#include <algorithm>
#include <optional>

#include "text/chat/chat_form.h"
#include "text/chat/json_scanner.h"
#include "text/chat/known_formats.h"
#include "text/chat/match.h"

namespace wisp::text {
namespace {

using jinja::Kind;
using jinja::Value;

constexpr std::string_view kName = "wisp_tool", kOther = "wisp_next", kId = "wispid001", kOtherId = "wispid002";
constexpr std::string_view kAnswer = "wisp answers", kThought = "wisp thinks";
constexpr std::string_view kA = "wisp_a", kB = "wisp_b", kValueA = "wisp va", kValueB = "wisp vb";

std::string tool_text(std::string_view name) {
  return fmt::format(R"({{"type": "function", "function": {{"name": "{}", "description": "d", "parameters": {{)"
                     R"("type": "object", "properties": {{"wisp_a": {{"type": "string", "description": "a"}}, )"
                     R"("wisp_b": {{"type": "string", "description": "b"}}}}, "required": ["wisp_a"]}}}}}})",
                     name);
}

std::size_t common_start(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// Texts that begin alike may share half a tag, which belongs to what follows.
std::size_t common_tags(std::string_view a, std::string_view b) {
  const std::size_t n = common_start(a, b);
  for (std::size_t i = n; i > 0 && n - i < 80; --i) {
    if (a[i - 1] == '<' || a[i - 1] == '[') return i - 1;
    if (a[i - 1] == '>' || a[i - 1] == ']' || a[i - 1] == '\n') break;
  }
  return n;
}

// The end that both have, from where a tag begins.
std::string_view common_end(std::string_view a, std::string_view b) {
  std::size_t n = 0;
  while (n < a.size() && n < b.size() && a[a.size() - 1 - n] == b[b.size() - 1 - n]) ++n;
  const std::string_view end = a.substr(a.size() - n);
  const std::size_t tag = end.find_first_of("<[");
  if (tag != std::string_view::npos) return end.substr(tag);
  return end.substr(end.find_last_of(">]") + 1);  // npos + 1 is 0
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> made;
  while (!(text = without_blanks(text)).empty()) {
    const std::size_t n = std::min(text.find_first_of(kTextBlanks), text.size());
    made.emplace_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return made;
}

class Prober {
 public:
  explicit Prober(const ChatForm& form) : form_(form) {}

  std::optional<std::string> render(std::optional<ChatMessage> answer, bool ask) const {
    ChatRequest request;
    request.messages = {{"user", "wisp asks"}};
    if (answer) request.messages.push_back(std::move(*answer));
    for (const std::string_view name : {kName, kOther}) request.tools.push_back({std::string(name), tool_text(name)});
    request.add_generation_prompt = ask;
    auto given = form_.request_values(request);
    if (!given) return std::nullopt;
    auto text = form_.form().render(form_.with_own(std::move(*given)), 0);
    return text ? std::optional(std::move(*text)) : std::nullopt;
  }

  // The assistant's turn as far as the model writes it: without what all its turns have around them.
  bool look() {
    const auto asked = render(std::nullopt, true);
    const auto said = render(ChatMessage{"assistant", std::string(kAnswer)}, false);
    if (!asked || !said) return false;
    asked_ = *asked;
    said_ = *said;
    return said_.rfind(kAnswer) != std::string::npos;
  }
  std::string turn_of(const std::string& text) const {
    const std::size_t begin = std::max(common_tags(text, asked_), common_tags(text, said_));
    const std::string_view end = common_end(text, std::string_view(said_).substr(said_.rfind(kAnswer)));
    return text.substr(begin, text.size() - std::min(end.size(), text.size() - begin) - begin);
  }
  const std::string& asked() const { return asked_; }
  const std::string& said() const { return said_; }

 private:
  const ChatForm& form_;
  std::string asked_, said_;
};

ChatMessage calling(std::vector<ToolCall> calls) {
  return {.role = "assistant", .content = "", .tool_calls = std::move(calls)};
}
ToolCall call_of(std::string_view name, std::string_view id, std::string arguments) {
  return {std::string(id), std::string(name), std::move(arguments)};
}

struct Span {
  std::size_t begin = 0, end = 0;
};

// The first JSON value that takes in all of `wanted`.
std::optional<Span> json_around(std::string_view text, std::initializer_list<std::string_view> wanted) {
  for (std::size_t at = text.find_first_of("{["); at != std::string_view::npos; at = text.find_first_of("{[", at + 1)) {
    JsonScanner scanner;
    std::size_t end = at;
    bool bad = false;
    while (end < text.size() && !scanner.done() && !bad) bad = scanner.push(text[end++]) == JsonScanner::Event::bad;
    if (bad || !scanner.done()) continue;
    const std::string_view json = text.substr(at, end - at);
    if (std::all_of(wanted.begin(), wanted.end(),
                    [&](auto part) { return json.find(part) != std::string_view::npos; })) {
      return Span{at, end};
    }
  }
  return std::nullopt;
}

void read_keys(const Value& object, CallFormat& calls) {
  if (!object.is(Kind::dict)) return;
  for (const auto& [key, value] : object.as_dict()->entries()) {
    if (value.is(Kind::string) && value.as_text() == kName) calls.name_key = key.as_text();
    if (value.is(Kind::string) && value.as_text() == kId) calls.id_key = key.as_text();
    if (!value.is(Kind::dict)) continue;
    if (value.find(kA) == nullptr) {
      read_keys(value, calls);
    } else if (key.as_text() == kName) {
      calls.name_is_key = true;
    } else {
      calls.arguments_key = key.as_text();
    }
  }
}

// The literal `text` in pieces: `id` and digits that count calls become fields.
Pattern pieces_of(std::string_view text, std::string_view other, bool before_name) {
  Pattern made;
  const auto literal = [&](std::string_view part) {
    if (!part.empty()) made.push_back({SyntaxPiece::Kind::literal, std::string(part)});
  };
  if (const std::size_t at = text.find(kId); at != std::string_view::npos) {
    literal(text.substr(0, at));
    made.push_back({SyntaxPiece::Kind::id});
    literal(text.substr(at + kId.size()));
    return made;
  }
  const std::size_t same = common_start(text, other);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (same < text.size() && same < other.size() && digit(text[same]) && digit(other[same])) {
    literal(text.substr(0, same));
    made.push_back({SyntaxPiece::Kind::any});
    literal(text.substr(same + 1));
    return made;
  }
  // Words between the mark and the name, which models leave out at times: "functions."
  const std::size_t tag = text.rfind('>');
  if (before_name && tag != std::string_view::npos && tag + 1 < text.size() &&
      text.substr(tag + 1).find_first_of("<[\"=") == std::string_view::npos &&
      !without_blanks(text.substr(tag + 1)).empty()) {
    literal(text.substr(0, tag + 1));
    made.push_back({SyntaxPiece::Kind::optional, std::string(text.substr(tag + 1))});
    return made;
  }
  literal(text);
  return made;
}

// How the object of a call is written: `text` is one with a name, an id and two arguments, `other` a second one.
Pattern object_pattern(std::string_view text, std::string_view other) {
  // The innermost object with the arguments. Where they are text, another object says the same.
  std::size_t begin = text.find(kA), end = text.find(kValueB);
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  begin = text.rfind('{', begin);
  end = text.find('}', end);
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  ++end;
  if (begin > 0 && text[begin - 1] == '"' && text.substr(end).starts_with('"')) {
    --begin;
    ++end;
  }
  Pattern made;
  const auto add = [&](std::string_view part, std::string_view other_part) {
    const std::size_t name = part.find(kName), other_name = other_part.find(kOther);
    if (name == std::string_view::npos) {
      for (SyntaxPiece& piece : pieces_of(part, other_part, false)) made.push_back(std::move(piece));
      return;
    }
    const auto split_at = [](std::string_view whole, std::size_t at, std::string_view word) {
      return at == std::string_view::npos ? std::pair(whole, whole)
                                          : std::pair(whole.substr(0, at), whole.substr(at + word.size()));
    };
    const auto [before, behind] = split_at(part, name, kName);
    const auto [other_before, other_behind] = split_at(other_part, other_name, kOther);
    for (SyntaxPiece& piece : pieces_of(before, other_before, false)) made.push_back(std::move(piece));
    made.push_back({SyntaxPiece::Kind::name});
    for (SyntaxPiece& piece : pieces_of(behind, other_behind, false)) made.push_back(std::move(piece));
  };
  const std::size_t other_begin = std::min(other.rfind('{', other.find(kA)), other.size());
  add(text.substr(0, begin), other.substr(0, other_begin));
  made.push_back({SyntaxPiece::Kind::arguments});
  add(text.substr(end), text.substr(end));
  return made;
}

// What stands around calls: of one call `before` and `after` it, of two also what stands `between`.
struct Surroundings {
  std::string section_begin, begin, end, section_end;
};
Surroundings split(const std::string& before, const std::string& after, const std::optional<std::string>& between) {
  if (!between) return {"", before, after, ""};
  Surroundings made;
  made.begin = common_end(before, *between);
  if (without_blanks(made.begin).empty()) made.begin = before;
  made.section_begin = before.substr(0, before.size() - made.begin.size());
  const std::size_t end = common_tags(after, *between);
  made.end = after.substr(0, end);
  made.section_end = after.substr(end);
  if (without_blanks(made.section_begin).empty()) made.section_begin.clear();
  return made;
}

void surround(CallFormat& calls, const Surroundings& around) {
  calls.section_begin = around.section_begin;
  calls.section_end = around.section_end;
  calls.tails = words(around.end);
  if (calls.section_begin.empty()) {
    for (std::string& word : words(around.section_end)) calls.tails.push_back(std::move(word));
    calls.section_end.clear();
  }
}

std::string part(const std::string& text, std::size_t begin, std::size_t end) {
  return begin < end ? text.substr(begin, end - begin) : std::string();
}

// Arguments between tags. `one` and each call of `two` have two text arguments, `number` has a number.
bool find_tags(const std::string& one, const std::optional<std::string>& two, const std::optional<std::string>& number,
               CallFormat& calls) {
  const std::size_t a = one.find(kA), va = one.find(kValueA), b = one.find(kB, va), vb = one.find(kValueB);
  const std::size_t name = one.rfind(kName, a);
  if (name == std::string::npos || a == std::string::npos || va == std::string::npos || b == std::string::npos ||
      vb == std::string::npos || va < a || b < va || vb < b) {
    return false;
  }
  const std::string head = part(one, name + kName.size(), a), middle = part(one, a + kA.size(), va);
  const std::string last = part(one, vb + kValueB.size(), one.size());
  const std::string closing = part(one, va + kValueA.size(), b);
  calls.payload = Payload::tagged;
  if (closing.find(kA) != std::string::npos) return false;
  calls.argument_begin = common_end(head, closing);
  calls.value_end = closing.substr(0, closing.size() - calls.argument_begin.size());
  const std::string name_end = head.substr(0, head.size() - calls.argument_begin.size());
  calls.padded = middle.ends_with('\n') && calls.value_end.starts_with('\n');
  calls.key_end = middle;
  if (number) {
    const std::size_t key = number->find(kA), value = number->find("73519");
    const std::string other = key < value ? part(*number, key + kA.size(), value) : middle;
    if (other != middle) {
      const std::size_t same = common_start(other, middle);
      const std::size_t begin = middle.rfind('"', same - (same > 0 && middle[same - 1] == '"' ? 1 : 0)) + 1;
      const std::size_t end = middle.find('"', begin);
      if (begin == 0 || end == std::string::npos) return false;
      calls.key_end = middle.substr(0, begin);
      calls.type_end = middle.substr(end);
      calls.string_type = middle.substr(begin, end - begin);
    }
  }
  if (!last.starts_with(calls.value_end)) return false;
  const std::string after = last.substr(calls.value_end.size());
  std::optional<std::string> between;
  std::string other_end = name_end;
  if (two) {
    const std::size_t end = two->find(kValueB), other = two->find(kOther, end == std::string::npos ? 0 : end);
    if (end != std::string::npos && other != std::string::npos) {
      between = part(*two, end + kValueB.size() + calls.value_end.size(), other);
      other_end = part(*two, other + kOther.size(), two->find(kA, other));
    }
  }
  const Surroundings around = split(one.substr(0, name), after, between);
  surround(calls, around);
  Pattern pattern = pieces_of(around.begin, around.begin, true);
  pattern.push_back({SyntaxPiece::Kind::name});
  for (SyntaxPiece& piece : pieces_of(name_end, other_end, false)) pattern.push_back(std::move(piece));
  calls.heads = {pattern};
  // Models leave out the outer of two tags at times.
  const std::string& first = pattern.front().text;
  if (const std::size_t inner = first.rfind('<'); inner != std::string::npos && inner > 0 && first[inner - 1] == '\n') {
    pattern.front().text = first.substr(inner);
    calls.heads.push_back(std::move(pattern));
  }
  return true;
}

// <city>Paris</city>: the key is the tag.
bool find_key_tags(const std::string& one, const std::optional<std::string>& two, CallFormat& calls) {
  const std::size_t a = one.find(kA), va = one.find(kValueA), again = one.find(kA, va), b = one.find(kB, va);
  const std::size_t name = one.rfind(kName, a), vb = one.find(kValueB), last = one.find(kB, vb);
  if (again == std::string::npos || name == std::string::npos || b == std::string::npos || last == std::string::npos ||
      again > b) {
    return false;
  }
  calls.payload = Payload::tagged;
  calls.ends_with_key = true;
  calls.key_end = part(one, a + kA.size(), va);
  calls.value_end = part(one, va + kValueA.size(), again);
  // "</" is "<" and a slash; what both begin with is the argument's begin.
  calls.argument_begin = calls.value_end.substr(0, calls.value_end.size() - 1);
  calls.after_end_key = ">";
  const std::string head = part(one, name + kName.size(), a);
  if (!head.ends_with(calls.argument_begin)) return false;
  const std::string name_end = head.substr(0, head.size() - calls.argument_begin.size());
  const std::string after = one.substr(last + kB.size() + 1);
  std::optional<std::string> between;
  if (two) {
    const std::size_t other = two->find(kOther), end = two->rfind(kB, other);
    if (other != std::string::npos && end != std::string::npos) between = part(*two, end + kB.size() + 1, other);
  }
  const Surroundings around = split(one.substr(0, name), after, between);
  surround(calls, around);
  calls.heads = {
      {{SyntaxPiece::Kind::literal, around.begin}, {SyntaxPiece::Kind::name}, {SyntaxPiece::Kind::literal, name_end}}};
  return true;
}

bool find_calls(const Prober& prober, CallFormat& calls) {
  const std::string arguments = R"({"wisp_a": "wisp va", "wisp_b": "wisp vb"})";
  const auto turn = [&](std::vector<ToolCall> made) -> std::optional<std::string> {
    const auto text = prober.render(calling(std::move(made)), false);
    return text ? std::optional(prober.turn_of(*text)) : std::nullopt;
  };
  const auto one = turn({call_of(kName, kId, arguments)});
  if (!one || one->find(kValueA) == std::string::npos) return false;
  auto two = turn({call_of(kName, kId, arguments), call_of(kOther, kOtherId, arguments)});
  if (two && two->find(kOther) == std::string::npos) two.reset();

  if (const auto json = json_around(*one, {kName, kValueA})) {
    calls.payload = Payload::json;
    const auto value = jinja::parse_json(std::string_view(*one).substr(json->begin, json->end - json->begin));
    if (!value) return false;
    calls.listed = value->is(Kind::list) && !value->items().empty();
    read_keys(calls.listed ? value->items().front() : *value, calls);
    const auto object_of = [](std::string_view text, std::string_view name) {
      while (const auto span = json_around(text, {name, kValueA})) {
        if (text[span->begin] == '{') return text.substr(span->begin, span->end - span->begin);
        text.remove_prefix(span->begin + 1);  // into the list
      }
      return std::string_view();
    };
    calls.object = object_pattern(object_of(*one, kName), object_of(two ? *two : *one, two ? kOther : kName));
    std::optional<std::string> between;
    const auto first = two ? json_around(*two, {kName, kValueA}) : std::nullopt;
    if (first && two->find(kOther) > first->end) {
      const std::string rest = two->substr(first->end);
      if (const auto second = json_around(rest, {kOther, kValueA})) between = rest.substr(0, second->begin);
    }
    const Surroundings around = split(one->substr(0, json->begin), one->substr(json->end), between);
    surround(calls, around);
    calls.bare = without_blanks(around.begin).empty() && calls.section_begin.empty();
    if (!calls.bare) calls.heads = {{{SyntaxPiece::Kind::literal, around.begin}}};
    return true;
  }
  const std::size_t name = one->rfind(kName, one->find(kA));
  if (name == std::string::npos) return false;
  if (const auto json = json_around(*one, {kA, kValueA}); json && json->begin > name) {
    calls.payload = Payload::arguments;
    std::optional<std::string> between;
    std::string other_middle = part(*one, name + kName.size(), json->begin);
    if (two) {
      const auto first = json_around(*two, {kA, kValueA});
      const std::size_t other = first ? two->find(kOther, first->end) : std::string::npos;
      if (other != std::string::npos) {
        between = part(*two, first->end, other);
        const std::string rest = two->substr(other + kOther.size());
        if (const auto second = json_around(rest, {kA, kValueA})) other_middle = rest.substr(0, second->begin);
      }
    }
    std::string before = one->substr(0, name);
    if (between) {
      if (const std::size_t at = between->find(kOtherId); at != std::string::npos)
        between->replace(at, kId.size(), kId);
    }
    const Surroundings around = split(before, one->substr(json->end), between);
    surround(calls, around);
    Pattern pattern = pieces_of(around.begin, around.begin, true);
    if (pattern.empty()) return false;
    pattern.push_back({SyntaxPiece::Kind::name});
    for (SyntaxPiece& piece : pieces_of(part(*one, name + kName.size(), json->begin), other_middle, false)) {
      pattern.push_back(std::move(piece));
    }
    calls.heads = {std::move(pattern)};
    return true;
  }
  if (find_key_tags(*one, two, calls)) return true;
  calls = {};
  return find_tags(*one, two, turn({call_of(kName, kId, R"({"wisp_a": 73519})")}), calls);
}

void find_reasoning(const Prober& prober, std::string_view source, OutputFormat& format) {
  struct Known {
    std::string_view begin, end;
  };
  constexpr Known kKnown[] = {
      {"<|START_THINKING|>", "<|END_THINKING|>"},
      {"<|open|>think<|sep|>", "<|close|>think<|sep|>"},
      {"<|channel>thought", "<channel|>"},
      {"<|inner_prefix|>", "<|inner_suffix|>"},
      {"<|think|>", "<|end|>"},
      {"[THINK]", "[/THINK]"},
      {"Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"},
      {"<seed:think>", "</seed:think>"},
      {"<mm:think>", "</mm:think>"},
      {"<thought>", "</thought>"},
      {"<think>", "</think>"},
  };
  const auto add = [&](std::string_view begin, std::string_view end) {
    for (const ReasoningMarks& marks : format.reasoning) {
      if (marks.begin == begin) return;
    }
    format.reasoning.push_back({std::string(begin), std::string(end)});
  };
  for (const Known& known : kKnown) {
    const bool whole =
        source.find(known.begin) != std::string_view::npos || prober.asked().find(known.begin) != std::string::npos;
    const bool ends = source.find(known.end) != std::string_view::npos;
    if (ends && (whole || known.begin.starts_with("<th") || known.begin.starts_with("<|open")))
      add(known.begin, known.end);
  }
  ChatMessage thinking{"assistant", std::string(kAnswer)};
  thinking.reasoning = kThought;
  if (const auto text = prober.render(std::move(thinking), false); text && text->rfind(kThought) != std::string::npos) {
    // The tags right around the thought.
    const std::size_t at = text->rfind(kThought);
    const std::string_view before = without_blanks(std::string_view(*text).substr(0, at));
    const std::string_view after = without_blanks(std::string_view(*text).substr(at + kThought.size()));
    const bool known = std::any_of(format.reasoning.begin(), format.reasoning.end(), [&](const ReasoningMarks& marks) {
      return before.ends_with(marks.begin) && after.starts_with(marks.end);
    });
    const std::size_t begin = before.rfind('<'), end = after.find('>');
    if (!known && begin != std::string_view::npos && before.ends_with('>') && after.starts_with('<') &&
        end != std::string_view::npos) {
      add(before.substr(begin), after.substr(0, end + 1));
    }
  }
  if (format.reasoning.empty()) format.reasoning.push_back({"<think>", "</think>", true});
}

// Marks that stand right around an answer's text.
void find_answer_marks(const Prober& prober, OutputFormat& format) {
  const std::string& said = prober.said();
  const std::size_t at = said.rfind(kAnswer);
  const std::size_t begin = common_tags(said, prober.asked());
  if (begin < at) {
    std::string_view mark = std::string_view(said).substr(begin, at - begin);
    for (const ReasoningMarks& marks : format.reasoning) {
      if (const std::size_t end = mark.rfind(marks.end); end != std::string_view::npos) {
        mark.remove_prefix(end + marks.end.size());
      }
    }
    format.blank_first = without_blanks(mark).empty();
    mark = without_blanks(mark);
    if (!mark.empty() && mark.front() == '<') {
      format.ignored.emplace_back(mark);
      format.speech = mark;
    }
  }
  const std::string_view after = without_blanks(std::string_view(said).substr(at + kAnswer.size()));
  std::size_t end = after.find('>');
  if (after.starts_with('<') && end != std::string_view::npos) {
    // <|close|>response<|sep|> is one mark.
    if (after.starts_with("<|close|>")) end = after.find("<|sep|>") + 6;
    format.ignored.emplace_back(after.substr(0, end + 1));
  }
}

}  // namespace

OutputFormat find_output_format(const ChatForm& form, std::string_view source) {
  OutputFormat format;
  Prober prober(form);
  const bool shown = prober.look();
  const bool known = known_format(source, format);
  if (known && !format.reasoning.empty()) return format;
  find_reasoning(prober, source, format);
  if (shown && !known) find_answer_marks(prober, format);
  if (!known && !(shown && find_calls(prober, format.calls))) {
    format.calls = {};
    named_format(source, format.calls);
  }
  // What ends a turn does not end its calls: a model's last token is not in its text.
  const auto cut = [&format](std::string& text) {
    for (const std::string& mark : format.ignored) text = text.substr(0, text.find(without_blanks(mark)));
  };
  if (!known) {
    std::ranges::for_each(format.calls.tails, cut);
    std::erase(format.calls.tails, "");
    cut(format.calls.section_end);
  }
  // Llama 3 marks some calls, and not others.
  if (format.calls.bare) format.calls.heads = {{{SyntaxPiece::Kind::literal, "<|python_tag|>"}}};
  // Solar opens another turn behind its thoughts.
  if (source.find("<|begin|>assistant") != std::string_view::npos) format.ignored.emplace_back("<|begin|>assistant");
  return format;
}

}  // namespace wisp::text
