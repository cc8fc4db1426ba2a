#include "text/jinja/url_text.h"

#include <algorithm>
#include <array>

#include "text/jinja/letter_case.h"
#include "text/jinja/utf8.h"

namespace wisp::text::jinja {
namespace {

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_ascii_letter(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
bool is_hexadecimal(char c) { return is_ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'); }
bool starts_with_any_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && std::ranges::equal(text.substr(0, start.size()), start, {}, ascii_lower);
}

// How many characters the text has, where all are letters, digits, `_` or one of `others`; 0 where not.
std::size_t word_length(std::string_view text, std::string_view others) {
  std::size_t n = 0;
  for (; !text.empty(); text.remove_prefix(character_bytes(text)), ++n) {
    const char32_t c = code_point(text.substr(0, character_bytes(text)));
    const bool other = c < 0x80 && others.find(static_cast<char>(c)) != std::string_view::npos;
    if (!is_alphanumeric(c) && c != '_' && !other) return 0;
  }
  return n;
}

std::vector<std::string_view> labels_of(std::string_view host) {
  std::vector<std::string_view> labels;
  for (std::size_t at = 0; at <= host.size();) {
    const std::size_t end = std::min(host.find('.', at), host.size());
    labels.push_back(host.substr(at, end - at));
    at = end + 1;
  }
  return labels;
}

// a.b.tld, behind a scheme or "www."
bool is_host(std::string_view host) {
  const std::vector<std::string_view> labels = labels_of(host);
  for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
    if (word_length(labels[i], "%-") == 0) return false;
  }
  const std::string_view top = labels.back();
  if (starts_with_any_case(top, "xn--")) {
    const std::size_t n = word_length(top.substr(4), "%");
    return n >= 2 && n <= 59;
  }
  return top.size() >= 2 && top.size() <= 63 && std::ranges::all_of(top, is_ascii_letter);
}

// example.com: without a scheme only the best known ends are taken for an address.
bool is_bare_host(std::string_view host) {
  constexpr std::array<std::string_view, 8> kTops = {"com", "net", "int", "edu", "gov", "org", "info", "mil"};
  const std::vector<std::string_view> labels = labels_of(host);
  if (labels.size() < 2) return false;
  for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
    const std::size_t n = word_length(labels[i], "%-");
    if (n < 2 || n > 63) return false;
  }
  return std::ranges::any_of(kTops, [&](std::string_view top) {
    return top.size() == labels.back().size() && starts_with_any_case(labels.back(), top);
  });
}

bool is_ipv4(std::string_view host) {
  const std::vector<std::string_view> labels = labels_of(host);
  return labels.size() == 4 && std::ranges::all_of(labels, [](std::string_view label) {
           return !label.empty() && label.size() <= 3 && std::ranges::all_of(label, is_ascii_digit);
         });
}

// "[..]": groups of up to four hexadecimal digits, two of them with a colon and then one to six with or without.
bool is_ipv6(std::string_view host) {
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return false;
  host = host.substr(1, host.size() - 2);
  for (int i = 0; i < 2; ++i) {
    const std::size_t colon = host.find(':');
    if (colon > 4 || !std::ranges::all_of(host.substr(0, colon), is_hexadecimal)) return false;  // or there is none
    host.remove_prefix(colon + 1);
  }
  std::size_t groups = 0;
  while (!host.empty()) {
    const std::size_t colon = std::min(host.find(':'), host.size());
    if (!std::ranges::all_of(host.substr(0, colon), is_hexadecimal)) return false;
    groups += std::max<std::size_t>(1, (colon + 3) / 4);
    host.remove_prefix(std::min(colon + 1, host.size()));
  }
  return groups <= 6;
}

bool is_address(std::string_view text) {
  bool scheme = false;
  for (const std::string_view start : {"http://", "https://"}) {
    if (!starts_with_any_case(text, start)) continue;
    scheme = true;
    text.remove_prefix(start.size());
    break;
  }
  const std::size_t from = text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0;
  const std::size_t end = std::min(text.find_first_of(":/?#", from), text.size());
  const std::string_view host = text.substr(0, end);
  std::string_view rest = text.substr(end);
  if (rest.starts_with(':')) {
    std::size_t n = 1;
    while (n < rest.size() && is_ascii_digit(rest[n])) ++n;
    if (n < 2 || n > 6) return false;
    rest.remove_prefix(n);
    if (!rest.empty() && std::string_view("/?#").find(rest[0]) == std::string_view::npos) return false;
  }
  if (scheme) return is_host(host) || is_ipv4(host) || is_ipv6(host);
  return (starts_with_any_case(host, "www.") && is_host(host.substr(4))) || is_bare_host(host);
}

bool is_mail(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view domain = text.substr(at + 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || word_length(domain, ".-") == 0) return false;
  return word_length(domain.substr(0, character_bytes(domain)), "") == 1 && word_length(domain.substr(dot + 1), "") > 0;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

struct Parts {
  std::string_view head, middle, tail;
};
// The brackets and points around a word, which are no part of its address.
Parts parts_of(std::string_view word) {
  const std::string_view whole = word;
  std::size_t head = 0;
  const auto length_of = [](std::string_view text, std::initializer_list<std::string_view> starts) -> std::size_t {
    for (const std::string_view start : starts) {
      if (text.starts_with(start)) return start.size();
    }
    return 0;
  };
  for (std::size_t n = 0; (n = length_of(whole.substr(head), {"(", "<", "&lt;"})) > 0;) head += n;
  std::size_t end = whole.size();
  while (end > head) {
    const std::string_view left = whole.substr(head, end - head);
    const std::size_t n =
        left.ends_with("&gt;") ? 4 : std::string_view(")>.,").find(left.back()) != std::string_view::npos;
    if (n == 0) break;
    end -= n;
  }
  // Brackets that the address itself opened stay with it.
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}}) {
    const std::string_view middle = whole.substr(head, end - head);
    const std::size_t opened = count_of(middle, open);
    if (opened <= count_of(middle, close)) continue;
    const std::size_t moves = std::min(opened, count_of(whole.substr(end), close));
    for (std::size_t i = 0; i < moves; ++i) end = whole.find(close, end) + close.size();
  }
  return {whole.substr(0, head), whole.substr(head, end - head), whole.substr(end)};
}

std::string link(std::string_view start, std::string_view address, std::string_view attributes,
                 std::string_view shown) {
  std::string made = "<a href=\"";
  made += start;
  made += address;
  made += "\"";
  made += attributes;
  made += ">";
  made += shown;
  made += "</a>";
  return made;
}

std::string linked(std::string_view middle, const LinkStyle& style) {
  if (is_address(middle)) {
    const bool scheme = middle.starts_with("https://") || middle.starts_with("http://");
    std::string shown(middle);
    if (count_characters(middle) > style.trim) {
      shown.resize(character_offset(middle, static_cast<std::size_t>(style.trim)));
      shown += "...";
    }
    return link(scheme ? "" : "https://", middle, style.attributes, shown);
  }
  if (middle.starts_with("mailto:") && is_mail(middle.substr(7))) return link("", middle, "", middle.substr(7));
  if (middle.find('@') != std::string_view::npos && !middle.starts_with("www.") && !middle.starts_with('@') &&
      middle.find(':') == std::string_view::npos && is_mail(middle)) {
    return link("mailto:", middle, "", middle);
  }
  for (const std::string& scheme : style.schemes) {
    if (middle != scheme && middle.starts_with(scheme)) return link("", middle, style.attributes, middle);
  }
  return std::string(middle);
}

}  // namespace

bool is_scheme_prefix(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || word_length(text.substr(0, colon), ".+-") < 2) return false;
  const std::string_view behind = text.substr(colon + 1);
  return behind.empty() || behind == "/" || behind == "//";
}

std::string with_links(std::string_view text, const LinkStyle& style) {
  std::string out;
  while (!text.empty()) {
    std::size_t end = 0;
    const auto blank_at = [&] { return is_space(code_point(text.substr(end, character_bytes(text.substr(end))))); };
    while (end < text.size() && !blank_at()) end += character_bytes(text.substr(end));
    const Parts parts = parts_of(text.substr(0, end));
    out += parts.head;
    out += linked(parts.middle, style);
    out += parts.tail;
    const std::size_t word = end;
    while (end < text.size() && blank_at()) end += character_bytes(text.substr(end));
    out += text.substr(word, end - word);
    text.remove_prefix(end);
  }
  return out;
}

}  // namespace wisp::text::jinja
