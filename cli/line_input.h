// Lines that a user types: with editing and history on a terminal, plainly from a pipe or file.
#pragma once

#include <memory>
#include <string>

namespace wisp::cli {

class LineInput {
 public:
  LineInput();
  ~LineInput();
  LineInput(const LineInput&) = delete;
  LineInput& operator=(const LineInput&) = delete;

  // stdin and stderr are a terminal. The prompt and the echo go to stderr: stdout is for results.
  [[nodiscard]] bool interactive() const { return editor_ != nullptr; }

  enum class Outcome { line, interrupted, end };
  // Without the newline. On a terminal a backslash at the end of a line continues it.
  Outcome read(std::string& line);

 private:
  struct Editor;
  Outcome read_edited(std::string& line);
  static Outcome read_plain(std::string& line);
  std::unique_ptr<Editor> editor_;
};

}  // namespace wisp::cli
