#include "line_input.h"

#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>

#include "interrupt.h"
#include "text/tokenizer.h"

#ifdef WISP_HAVE_LIBEDIT
#include <histedit.h>
#endif

namespace wisp::cli {

#ifdef WISP_HAVE_LIBEDIT

namespace {

bool continues = false;  // the line being read goes on from the one before; libedit's prompt is a plain function

const char* prompt_text(EditLine*) { return continues ? "  " : "> "; }

}  // namespace

struct LineInput::Editor {
  Editor() : line(el_init("wisp", stdin, stderr, stderr)), history(history_init()) {
    HistEvent event;
    history_wrapper(event, H_SETSIZE, 1000);
    el_set(line, EL_PROMPT, prompt_text);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_HIST, ::history, history);
    el_source(line, nullptr);  // the user's ~/.editrc
  }
  ~Editor() {
    history_end(history);
    el_end(line);
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  template <class... Args>
  void history_wrapper(HistEvent& event, int operation, Args... arguments) {
    ::history(history, &event, operation, arguments...);
  }

  EditLine* line;
  History* history;
};

LineInput::LineInput() {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return;
  std::setlocale(LC_CTYPE, "");  // so that libedit knows characters from bytes
  editor_ = std::make_unique<Editor>();
}

LineInput::Outcome LineInput::read_edited(std::string& line) {
  continues = false;
  while (true) {
    int n = 0;
    errno = 0;
    const char* text = el_gets(editor_->line, &n);
    if (text == nullptr || n <= 0) {
      std::fputc('\n', stderr);
      return Interrupts::pending() || errno == EINTR ? Outcome::interrupted : Outcome::end;
    }
    line.append(text, static_cast<std::size_t>(n));
    if (line.ends_with('\n')) line.pop_back();
    if (!line.ends_with('\\')) break;
    line.back() = '\n';
    continues = true;
  }
  HistEvent event;
  if (!line.empty()) editor_->history_wrapper(event, H_ENTER, line.c_str());
  return Outcome::line;
}

#else

// Without libedit the terminal's own line editing does.
struct LineInput::Editor {};

LineInput::LineInput() {
  if (isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1) editor_ = std::make_unique<Editor>();
}

LineInput::Outcome LineInput::read_edited(std::string& line) {
  std::fputs("> ", stderr);
  const Outcome outcome = read_plain(line);
  if (outcome != Outcome::line) std::fputc('\n', stderr);
  return outcome;
}

#endif

LineInput::~LineInput() = default;

LineInput::Outcome LineInput::read(std::string& line) {
  line.clear();
  return interactive() ? read_edited(line) : read_plain(line);
}

LineInput::Outcome LineInput::read_plain(std::string& line) {
  while (true) {
    errno = 0;
    const int c = std::fgetc(stdin);
    if (c == '\n') return Outcome::line;
    if (c != EOF) {
      line += static_cast<char>(c);
      if (line.size() < text::kMaxTextBytes) continue;
      return Outcome::line;  // an endless one; no context holds it
    }
    if (errno == EINTR || Interrupts::pending()) {
      std::clearerr(stdin);
      return Outcome::interrupted;
    }
    return line.empty() ? Outcome::end : Outcome::line;
  }
}

}  // namespace wisp::cli
