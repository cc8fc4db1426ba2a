#include "text/grammar/free_text.h"

#include <algorithm>
#include <map>
#include <utility>

#include "text/utf8.h"

namespace wisp::text::grammar {
namespace {

std::u32string characters(std::string_view text) {
  std::u32string made;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char next = decode_utf8(text, at);
    made.push_back(next.code);
    at += next.length;
  }
  return made;
}

}  // namespace

FreeText::FreeText(Grammar& grammar, const std::vector<std::string>& marks, CharSet allowed)
    : grammar_(grammar), allowed_(std::move(allowed)) {
  places_.push_back({{}});
  for (const std::string& mark : marks) {
    marks_.push_back(characters(mark));
    for (std::size_t n = 1; n < marks_.back().size(); ++n) {
      const std::u32string seen = marks_.back().substr(0, n);
      if (std::ranges::find(places_, seen, &Place::seen) == places_.end()) places_.push_back({seen});
    }
  }
  // A mark within another one: what has seen it is no place.
  std::erase_if(places_, [this](const Place& place) { return holds_mark(place.seen); });
  for (Place& place : places_) {
    place.rule = grammar_.declare("text without marks");
    place.may_end = std::ranges::none_of(marks_, [&](const std::u32string& mark) {
      std::u32string text = place.seen + mark;
      text.pop_back();
      return holds_mark(text);
    });
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const NodeId end = places_[i].may_end ? grammar_.empty() : grammar_.never();
    grammar_.define(places_[i].rule, grammar_.choice({end, next(i, allowed_)}));
  }
  any_ = grammar_.rule(places_.front().rule);
}

bool FreeText::holds_mark(const std::u32string& text) const {
  return std::ranges::any_of(marks_,
                             [&](const std::u32string& mark) { return text.find(mark) != std::u32string::npos; });
}

// The place with the longest end of `seen`; places_.size() where a mark is complete.
std::size_t FreeText::behind(std::u32string seen) const {
  if (holds_mark(seen)) return places_.size();
  while (true) {
    const auto found = std::ranges::find(places_, seen, &Place::seen);
    if (found != places_.end()) return static_cast<std::size_t>(found - places_.begin());
    seen.erase(0, 1);
  }
}

NodeId FreeText::next(std::size_t place, const CharSet& allowed) {
  std::map<std::size_t, CharSet> leads_to;
  CharSet known;
  for (const std::u32string& mark : marks_) {
    for (const char32_t code : mark) {
      if (known.contains(code)) continue;
      known.add(code);
      if (allowed.contains(code)) leads_to[behind(places_[place].seen + code)].add(code);
    }
  }
  leads_to[0].add(allowed.without(known));
  std::vector<NodeId> ways;
  for (const auto& [to, set] : leads_to) {
    if (to == places_.size() || set.empty()) continue;
    ways.push_back(grammar_.sequence({grammar_.chars(set), grammar_.rule(places_[to].rule)}));
  }
  return grammar_.choice(ways);
}

NodeId FreeText::beginning_with(const CharSet& first) { return next(0, allowed_.intersection(first)); }

}  // namespace wisp::text::grammar
