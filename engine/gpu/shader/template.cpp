#include "gpu/shader/template.h"

#include <charconv>
#include <set>
#include <span>
#include <vector>

#include "gpu/shader/expression.h"

namespace wisp::gpu {
namespace {

constexpr int kMostTemplateDepth = 32;     // of includes, conditions and loops
constexpr std::int64_t kMostTurns = 4096;  // of one loop
constexpr int kMostReplaced = 1000;        // ${...} of one line

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

struct Line {
  std::string_view text;
  std::size_t number;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    lines.push_back({text.substr(0, end), number});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// "#if X" -> ("if", "X"); WGSL lines -> ("", "").
struct Directive {
  std::string_view name, rest;
};

Directive directive_of(std::string_view line) {
  line = trimmed(line);
  if (!line.starts_with('#')) return {};
  const std::size_t blank = line.find_first_of(" \t");
  const std::string_view name = line.substr(1, blank == std::string_view::npos ? blank : blank - 1);
  return {name, blank == std::string_view::npos ? std::string_view() : trimmed(line.substr(blank))};
}

class Expansion {
 public:
  explicit Expansion(TemplateSource source) : source_(source) {}
  std::string out;

  Status file(std::string_view name, const Defines& defines, int depth) {
    if (!included_.insert(std::string(name)).second) return {};
    if (depth > kMostTemplateDepth) return fail(Code::internal, "{}: includes are nested too deeply", name);
    WISP_TRY(const std::string_view text, source_(name));
    const std::vector<Line> lines = lines_of(text);
    return block(name, lines, defines, depth);
  }

 private:
  // Where the block that starts behind `lines[at]` ends: the line of its #end or #endif; or of an #elif or #else of the
  // same level where `branches`.
  static std::size_t end_of(std::span<const Line> lines, std::size_t at, bool branches) {
    int level = 0;
    for (std::size_t i = at + 1; i < lines.size(); ++i) {
      const std::string_view name = directive_of(lines[i].text).name;
      if (name == "if" || name == "for") ++level;
      if (level == 0 && (name == "end" || name == "endif")) return i;
      if (level == 0 && branches && (name == "elif" || name == "else")) return i;
      if (name == "end" || name == "endif") --level;
    }
    return lines.size();
  }

  Status block(std::string_view name, std::span<const Line> lines, const Defines& defines, int depth) {
    if (depth > kMostTemplateDepth) return fail(Code::internal, "{}: nested too deeply", name);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const Directive directive = directive_of(lines[i].text);
      const auto here = [&](Error error) { return fail_in(std::move(error), "{}:{}", name, lines[i].number); };
      if (directive.name.empty()) {
        if (trimmed(lines[i].text).starts_with("//#")) continue;
        if (Status status = text(lines[i].text, defines); !status) return here(status.error());
      } else if (directive.name == "include") {
        const std::string_view quoted = directive.rest;
        if (quoted.size() < 3 || quoted.front() != '"' || quoted.back() != '"') {
          return here({Code::internal, "#include wants a name in quotes"});
        }
        if (Status status = included(quoted.substr(1, quoted.size() - 2), defines, depth); !status) {
          return here(status.error());
        }
      } else if (directive.name == "if") {
        WISP_TRY(i, condition(name, lines, i, defines, depth));
      } else if (directive.name == "for") {
        const std::size_t end = end_of(lines, i, false);
        if (end == lines.size()) return here({Code::internal, "#for without #end"});
        if (directive_of(lines[end].text).name != "end") {
          return fail(Code::internal, "{}:{}: #endif closes a #for", name, lines[end].number);
        }
        WISP_CHECK(loop(name, lines.subspan(i, end - i), directive.rest, defines, depth));
        i = end;
      } else {
        return here({Code::internal, fmt::format("#{} is out of place or unknown", directive.name)});
      }
    }
    return {};
  }

  Status included(std::string_view quoted, const Defines& defines, int depth) {
    std::string name;
    WISP_CHECK(replace(quoted, defines, name));
    return file(name, defines, depth + 1);
  }

  // Returns the line of the #endif.
  Result<std::size_t> condition(std::string_view name, std::span<const Line> lines, std::size_t at,
                                const Defines& defines, int depth) {
    bool taken = false;
    while (true) {
      const Directive directive = directive_of(lines[at].text);
      const std::size_t end = end_of(lines, at, true);
      if (end == lines.size())
        return fail(Code::internal, "{}:{}: #{} without #endif", name, lines[at].number, directive.name);
      bool holds = !taken;
      if (holds && directive.name != "else") {
        Result<std::int64_t> value = value_of(directive.rest, defines);
        if (!value) return fail_in(value.error(), "{}:{}", name, lines[at].number);
        holds = *value != 0;
      }
      if (holds) {
        taken = true;
        WISP_CHECK(block(name, lines.subspan(at + 1, end - at - 1), defines, depth + 1));
      }
      const std::string_view closing = directive_of(lines[end].text).name;
      if (closing == "endif") return end;
      if (closing == "end") return fail(Code::internal, "{}:{}: #end closes an #if", name, lines[end].number);
      at = end;
    }
  }

  // `lines` starts with the #for itself; `head` is "i in 0..N".
  Status loop(std::string_view name, std::span<const Line> lines, std::string_view head, const Defines& defines,
              int depth) {
    const auto here = [&](std::string_view what) {
      return fail(Code::internal, "{}:{}: {}", name, lines.front().number, what);
    };
    const std::size_t in = head.find(" in ");
    const std::size_t dots = head.find("..");
    if (in == std::string_view::npos || dots == std::string_view::npos || dots < in) {
      return here("#for wants 'NAME in FIRST..LAST'");
    }
    const Result<std::int64_t> first = value_of(head.substr(in + 4, dots - in - 4), defines);
    const Result<std::int64_t> last = value_of(head.substr(dots + 2), defines);
    if (!first) return here(first.error().message);
    if (!last) return here(last.error().message);
    std::int64_t turns = 0;
    if (__builtin_sub_overflow(*last, *first, &turns) || turns > kMostTurns) {
      return here(fmt::format("#for from {} to {} turns too often", *first, *last));
    }
    Defines inner = defines;
    for (std::int64_t value = *first; value < *last; ++value) {
      inner.set(trimmed(head.substr(0, in)), value);
      WISP_CHECK(block(name, lines.subspan(1), inner, depth + 1));
    }
    return {};
  }

  Status text(std::string_view line, const Defines& defines) {
    WISP_CHECK(replace(line, defines, out));
    out += '\n';
    return {};
  }

  // Appends `line` with every ${...} replaced, the innermost first: ${FIRST_${p + 1}}.
  static Status replace(std::string_view line, const Defines& defines, std::string& out) {
    std::string text(line);
    for (int replaced = 0;; ++replaced) {
      const std::size_t begin = text.rfind("${");
      if (begin == std::string::npos) break;
      // A define may stand for text that has ${...} itself.
      if (replaced == kMostReplaced)
        return fail(Code::internal, "a line has too many ${{...}}, or one that holds itself");
      const std::size_t end = text.find('}', begin);
      if (end == std::string::npos) return fail(Code::internal, "${{ without }}");
      const std::string inside(trimmed(std::string_view(text).substr(begin + 2, end - begin - 2)));
      if (const std::string* whole = defines.find(inside)) {
        text.replace(begin, end + 1 - begin, *whole);
      } else {
        WISP_TRY(const std::int64_t value, evaluate(inside, defines));
        text.replace(begin, end + 1 - begin, fmt::format("{}", value));
      }
    }
    out += text;
    return {};
  }

  // The value of an expression that may hold ${...}.
  static Result<std::int64_t> value_of(std::string_view text, const Defines& defines) {
    std::string replaced;
    WISP_CHECK(replace(text, defines, replaced));
    return evaluate(replaced, defines);
  }

  TemplateSource source_;
  std::set<std::string, std::less<>> included_;
};

}  // namespace

Defines& Defines::set(std::string_view name, std::int64_t value) { return set(name, fmt::format("{}", value)); }

Defines& Defines::set(std::string_view name, std::string_view text) {
  values_.insert_or_assign(std::string(name), std::string(text));
  return *this;
}

const std::string* Defines::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

Result<std::string> expand_template(std::string_view file, const Defines& defines, TemplateSource source) {
  Expansion expansion(source);
  WISP_CHECK(expansion.file(file, defines, 0));
  return std::move(expansion.out);
}

}  // namespace wisp::gpu
