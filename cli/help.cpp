#include "help.h"

#include <algorithm>
#include <memory>
#include <sstream>

namespace wisp::cli {
namespace {

class ShortList : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    std::string line = command->get_description();
    line.resize(std::min(line.find('\n'), line.size()));
    if (line.ends_with('.')) line.pop_back();
    std::stringstream out;
    CLI::detail::format_help(out, command->get_display_name(true), line, get_column_width());
    return out.str();
  }
};

}  // namespace

void set_up_help(CLI::App& app) {
  const auto formatter = std::make_shared<ShortList>();
  formatter->column_width(14);
  app.formatter(formatter);
}

void describe(CLI::App& command, const std::string& text) {
  command.description(command.get_description() + ".\n" + text);
}

std::string mistake_text(const CLI::App& app, const CLI::ParseError& mistake) {
  std::string what = mistake.what();
  while (what.ends_with('\n')) what.pop_back();
  std::string command = "wisp";
  for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  return "wisp: " + what + "\n" + command + " --help explains";
}

}  // namespace wisp::cli
