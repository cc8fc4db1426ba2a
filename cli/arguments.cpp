#include "arguments.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>

#include "join.h"
#include "text/tokenizer.h"

#include <fmt/format.h>  // fmt::join; after base/format.h, which configures it

namespace wisp::cli {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

// Each piece between commas as an integer of [least, most].
template <class Number>
Result<std::vector<Number>> parse_list(std::string_view text, Number least, Number most, std::string_view what) {
  std::vector<Number> numbers;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view piece = trimmed(rest.substr(0, comma));
    Number number{};
    const auto [end, error] = std::from_chars(piece.data(), piece.data() + piece.size(), number);
    if (error != std::errc{} || end != piece.data() + piece.size() || number < least || number > most) {
      return fail(Code::invalid_argument, "'{}' is not {} of {} to {}; give them separated by commas", printable(piece),
                  what, least, most);
    }
    numbers.push_back(number);
    if (comma == std::string_view::npos) return numbers;
    rest.remove_prefix(comma + 1);
  }
}

// The factor of "GiB", "g", "GB", ... in lower case.
std::optional<double> unit_factor(std::string_view unit) {
  if (unit.empty() || unit == "b") return 1.0;
  const std::size_t power = std::string_view("kmgt").find(unit.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = unit.substr(1);
  const int exponent = static_cast<int>(power) + 1;
  if (rest.empty() || rest == "i" || rest == "ib") return std::ldexp(1.0, 10 * exponent);
  if (rest == "b") return std::pow(1000.0, exponent);
  return std::nullopt;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string_view whole = trimmed(text);
  double number = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  std::string unit(trimmed(whole.substr(static_cast<std::size_t>(end - whole.data()))));
  for (char& c : unit) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const std::optional<double> factor = unit_factor(unit);
  // 2^60 bytes: far above any machine, and safe to compute with.
  if (error != std::errc{} || !factor || !(number > 0) || !(number * *factor <= 0x1p60)) {
    return fail(Code::invalid_argument, "'{}' is not a size; write 24GiB, 512MiB, 1.5GB", printable(text));
  }
  return static_cast<std::uint64_t>(number * *factor);
}

Result<std::vector<TokenId>> parse_ids(std::string_view text) {
  return parse_list<TokenId>(text, 0, 0x7FFFFFFF, "a token id");
}

Result<std::vector<std::uint32_t>> parse_counts(std::string_view text, std::uint32_t least, std::uint32_t most) {
  return parse_list<std::uint32_t>(text, least, most, "a number");
}

std::string join_ids(const std::vector<TokenId>& ids) { return join(ids, ","); }

Status check_ids(const std::vector<TokenId>& ids, std::size_t n_vocab) {
  for (const TokenId id : ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= n_vocab) {
      return fail(Code::limit, "token id {} is outside the vocabulary: this model has ids 0 to {}", id, n_vocab - 1);
    }
  }
  return {};
}

std::string refuse_empty(const std::string& text) { return text.empty() ? "is empty" : ""; }

void TextFile::Close::operator()(std::FILE* file) const {
  if (file != stdin) std::fclose(file);
}

Result<TextFile> TextFile::open(const std::string& path) {
  if (path == "-") return TextFile(stdin, "standard input");
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return fail(errno == ENOENT ? Code::not_found : Code::io, "cannot open {}: {}", printable(path, 400),
                std::strerror(errno));
  }
  return TextFile(file, printable(path, 400));
}

Result<bool> TextFile::next(std::string& line) {
  line.clear();
  while (true) {
    const int c = std::fgetc(file_.get());
    if (c == '\n') return true;
    if (c == EOF) break;
    if (line.size() == text::kMaxTextBytes) {
      return fail(Code::limit, "a line of {} has more than {}", name_, format_bytes(text::kMaxTextBytes));
    }
    line += static_cast<char>(c);
  }
  if (std::ferror(file_.get()) != 0) return fail(Code::io, "cannot read {}: {}", name_, std::strerror(errno));
  return !line.empty();
}

Result<std::string> TextFile::rest() {
  std::string all;
  char chunk[65536];
  while (true) {
    const std::size_t n = std::fread(chunk, 1, sizeof chunk, file_.get());
    all.append(chunk, n);
    // A device such as /dev/zero never ends.
    if (all.size() > text::kMaxTextBytes) {
      return fail(Code::limit, "{} has more than {}", name_, format_bytes(text::kMaxTextBytes));
    }
    if (n == sizeof chunk) continue;
    if (std::ferror(file_.get()) != 0) return fail(Code::io, "cannot read {}: {}", name_, std::strerror(errno));
    return all;
  }
}

Result<std::string> read_text_file(const std::string& path) {
  WISP_TRY(TextFile file, TextFile::open(path));
  return file.rest();
}

Result<std::string> read_stdin() { return read_text_file("-"); }

}  // namespace wisp::cli
