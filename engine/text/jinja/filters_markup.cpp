// Filters for HTML and addresses. Nothing marks a text as safe here: what they give is text like any other.
#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "text/jinja/filters.h"
#include "text/jinja/letter_case.h"
#include "text/jinja/operators.h"
#include "text/jinja/string_functions.h"
#include "text/jinja/url_text.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

// Most text filters take anything and work on its str().
template <std::string (*function)(std::string_view)>
Result<Value> transformed(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("the filter", {}, arguments));
  WISP_TRY(const std::string text, to_text(context, input));
  return Value::string(function(text));
}

std::string encode_url(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~/").find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string same(std::string_view text) { return std::string(text); }

// ---- striptags ----

// The text without what stands from each `begin` to the next `end`; what has no end stays.
std::string without(std::string_view text, std::string_view begin, std::string_view end) {
  std::string out;
  while (true) {
    const std::size_t start = text.find(begin);
    const std::size_t stop = start == std::string_view::npos ? start : text.find(end, start + begin.size());
    if (stop == std::string_view::npos) break;
    out += text.substr(0, start);
    text.remove_prefix(stop + end.size());
  }
  out += text;
  return out;
}

struct Entity {
  std::string_view name, text;
};
// The commonest of HTML's two thousand.
constexpr std::array<Entity, 34> kEntities = {{
    {"amp", "&"},        {"lt", "<"},         {"gt", ">"},          {"quot", "\""},       {"apos", "'"},
    {"nbsp", "\u00a0"},  {"copy", "\u00a9"},  {"reg", "\u00ae"},    {"trade", "\u2122"},  {"hellip", "\u2026"},
    {"mdash", "\u2014"}, {"ndash", "\u2013"}, {"lsquo", "\u2018"},  {"rsquo", "\u2019"},  {"ldquo", "\u201c"},
    {"rdquo", "\u201d"}, {"laquo", "\u00ab"}, {"raquo", "\u00bb"},  {"bull", "\u2022"},   {"middot", "\u00b7"},
    {"euro", "\u20ac"},  {"pound", "\u00a3"}, {"yen", "\u00a5"},    {"cent", "\u00a2"},   {"sect", "\u00a7"},
    {"deg", "\u00b0"},   {"times", "\u00d7"}, {"divide", "\u00f7"}, {"plusmn", "\u00b1"}, {"larr", "\u2190"},
    {"rarr", "\u2192"},  {"szlig", "\u00df"}, {"eacute", "\u00e9"}, {"uuml", "\u00fc"},
}};

// What "#233", "#xE9" or "amp" stands for; empty for what is not known.
std::string entity_text(std::string_view name) {
  for (const Entity& entity : kEntities) {
    if (entity.name == name) return std::string(entity.text);
  }
  if (name.size() < 2 || name[0] != '#') return {};
  const bool hexadecimal = name[1] == 'x' || name[1] == 'X';
  const std::string_view digits = name.substr(hexadecimal ? 2 : 1);
  std::uint32_t code = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, hexadecimal ? 16 : 10);
  if (digits.empty() || read.ptr != digits.data() + digits.size() || read.ec == std::errc::invalid_argument) return {};
  const bool none = read.ec != std::errc{} || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF);
  std::string out;
  append_utf8(out, none ? 0xFFFD : code);
  return out;
}

std::string unescaped(std::string_view text) {
  constexpr std::size_t kLongest = 12;
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t end = text[at] == '&' ? text.substr(at, kLongest).find(';') : std::string_view::npos;
    const std::string made = end == std::string_view::npos ? std::string() : entity_text(text.substr(at + 1, end - 1));
    if (made.empty()) {
      out.push_back(text[at]);
    } else {
      out += made;
      at += end;
    }
  }
  return out;
}

Result<Value> striptags(Context& context, Value& input, Arguments& arguments) {
  WISP_CHECK(bind("striptags", {}, arguments));
  WISP_TRY(const std::string text, to_text(context, input));
  const std::string bare = without(without(text, "<!--", "-->"), "<", ">");
  WISP_TRY(const std::vector<Value> words, split(context, bare, std::nullopt, -1, false));
  std::string joined;
  for (const Value& word : words) {
    if (!joined.empty()) joined.push_back(' ');
    joined += word.as_text();
  }
  return Value::string(unescaped(joined));
}

// ---- xmlattr, urlize ----

Result<Value> xmlattr(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound, bind("xmlattr", {{"autospace"}}, arguments));
  const Dict* const dict = input.as_dict();
  if (dict == nullptr) return fail(Code::invalid_argument, "xmlattr needs a dict, not {}", type_name(input));
  std::string out;
  for (const auto& [key, value] : dict->entries()) {
    WISP_CHECK(context.spend());
    if (value.is(Kind::none) || value.is(Kind::undefined)) continue;
    WISP_TRY(const std::string_view name, text_argument("the name of an attribute", key));
    const bool bad = std::ranges::any_of(
        name, [](char c) { return std::string_view("/>= \t\n\v\f\r").find(c) != std::string_view::npos; });
    if (bad) return fail(Code::invalid_argument, "Invalid character in attribute name: '{}'", printable(name));
    WISP_TRY(const std::string text, to_text(context, value));
    WISP_CHECK(context.spend_bytes(out.size() + name.size() + text.size() > context.limits().max_output_bytes
                                       ? out.size() + name.size() + text.size()
                                       : name.size() + text.size()));
    if (!out.empty()) out.push_back(' ');
    out += escape_html(name) + "=\"" + escape_html(text) + "\"";
  }
  const bool space = !bound.given[0] || truth(bound[0]);
  return Value::string((space && !out.empty() ? " " : "") + out);
}

Result<Value> urlize(Context& context, Value& input, Arguments& arguments) {
  WISP_TRY(const Bound bound,
           bind("urlize", {{"trim_url_limit"}, {"nofollow"}, {"target"}, {"rel"}, {"extra_schemes"}}, arguments));
  WISP_TRY(const std::string text, to_text(context, input));
  LinkStyle style;
  if (bound.given[0] && !bound[0].is(Kind::none)) {
    WISP_TRY(const std::int64_t limit, integer_argument("trim_url_limit", bound[0]));
    if (limit < 0) return fail(Code::invalid_argument, "trim_url_limit is below 0");
    style.trim = static_cast<std::uint64_t>(limit);
  }
  std::set<std::string, std::less<>> relations = {"noopener"};
  if (truth(bound[1])) relations.emplace("nofollow");
  if (bound.given[3] && !bound[3].is(Kind::none)) {
    WISP_TRY(const std::string_view given, text_argument("rel", bound[3]));
    WISP_TRY(const std::vector<Value> words, split(context, given, std::nullopt, -1, false));
    for (const Value& word : words) relations.emplace(word.as_text());
  }
  std::string rel;
  for (const std::string& relation : relations) rel += (rel.empty() ? "" : " ") + relation;
  style.attributes = " rel=\"" + escape_html(rel) + "\"";
  if (bound.given[2] && !bound[2].is(Kind::none)) {
    WISP_TRY(const std::string_view target, text_argument("target", bound[2]));
    if (!target.empty()) style.attributes += " target=\"" + escape_html(target) + "\"";
  }
  if (bound.given[4] && !bound[4].is(Kind::none)) {
    Value schemes = bound[4];
    WISP_TRY(const std::vector<Value> listed, iterate(context, schemes));
    for (const Value& scheme : listed) {
      WISP_TRY(const std::string_view name, text_argument("each of extra_schemes", scheme));
      if (!is_scheme_prefix(name)) {
        return fail(Code::invalid_argument, "'{}' is not a valid URI scheme prefix.", printable(name));
      }
      style.schemes.emplace_back(name);
    }
  }
  // A link holds its address twice, and the attributes.
  const std::string escaped = escape_html(text);
  WISP_CHECK(context.spend_bytes(4 * escaped.size()));
  const auto words = static_cast<std::uint64_t>(
      std::ranges::count_if(escaped, [](char c) { return c == '.' || c == ':' || c == '@'; }));
  WISP_CHECK(context.spend_bytes(words * (style.attributes.size() + 32)));
  WISP_CHECK(context.spend(escaped.size() / kBytesPerStep * style.schemes.size()));
  return make_string(context, with_links(escaped, style));
}

// A prompt has to come out the same every time.
Result<Value> random(Context& /*context*/, Value& /*input*/, Arguments& /*arguments*/) {
  return fail(Code::unsupported, "the filter 'random' is refused: a prompt has to come out the same every time");
}

struct Named {
  std::string_view name;
  Builtin builtin;
};
constexpr Named kFilters[] = {
    {"e", transformed<escape_html>},
    {"escape", transformed<escape_html>},
    {"forceescape", transformed<escape_html>},
    {"random", random},
    {"safe", transformed<same>},
    {"string", transformed<same>},
    {"striptags", striptags},
    {"urlencode", transformed<encode_url>},
    {"urlize", urlize},
    {"xmlattr", xmlattr},
};

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

Builtin find_markup_filter(std::string_view name) {
  for (const Named& entry : kFilters)
    if (entry.name == name) return entry.builtin;
  return nullptr;
}

}  // namespace wisp::text::jinja
