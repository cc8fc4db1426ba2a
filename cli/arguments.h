// Values on the command line that CLI11 does not know: sizes, lists of ids, files.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace wisp::cli {

// "24GiB", "1.5g", "500 MB", "4096": binary with an i (or one letter alone), decimal with B only.
Result<std::uint64_t> parse_bytes(std::string_view text);

// "1,2,3", blanks allowed. Code::invalid_argument for anything else, an empty list too.
Result<std::vector<TokenId>> parse_ids(std::string_view text);
// The same for counts: each in [least, most].
Result<std::vector<std::uint32_t>> parse_counts(std::string_view text, std::uint32_t least, std::uint32_t most);
std::string join_ids(const std::vector<TokenId>& ids);

// Code::limit naming the first id outside a vocabulary of `n_vocab`.
Status check_ids(const std::vector<TokenId>& ids, std::size_t n_vocab);

// A check for CLI11: refuses an empty name, which mostly is a shell variable that is not set.
std::string refuse_empty(const std::string& text);

// Exact bytes of a file, or of stdin for "-". Code::limit past text::kMaxTextBytes.
Result<std::string> read_text_file(const std::string& path);
Result<std::string> read_stdin();

// A text, or stdin for "-", by lines or as a whole.
class TextFile {
 public:
  static Result<TextFile> open(const std::string& path);
  // The next line without its end; false after the last. Code::limit for one of more than text::kMaxTextBytes.
  Result<bool> next(std::string& line);
  // All that was not read yet, however it is cut into lines.
  Result<std::string> rest();

 private:
  struct Close {
    void operator()(std::FILE* file) const;
  };
  TextFile(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {}
  std::unique_ptr<std::FILE, Close> file_;
  std::string name_;
};

}  // namespace wisp::cli
