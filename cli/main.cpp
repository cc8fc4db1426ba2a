// The command `wisp`: parses the command line and hands it to one of the commands.
#include <CLI/CLI.hpp>
#include <exception>
#include <new>
#include <sstream>

#include "commands.h"
#include "grammar_command.h"
#include "help.h"
#include "inspect.h"
#include "interrupt.h"
#include "mapped_file_guard.h"
#include "output.h"
#include "template_command.h"
#include "text_commands.h"

namespace {

using namespace wisp;

int run_command(int argc, char** argv) {
  int exit_code = cli::kDone;
  CLI::App app("wisp runs language models in GGUF files on this machine.", "wisp");
  app.set_version_flag("--version", "wisp " WISP_VERSION);
  app.set_help_all_flag("--help-all", "The help of all commands");
  app.require_subcommand(1);
  app.footer(
      "Results go to stdout, everything else to stderr. Ends with 0: done; 1: the input was refused; 2: a mistake in "
      "the\n"
      "command line; 3: the machine lacks something; 130: Ctrl-C. `wisp COMMAND --help` explains and shows examples.");
  cli::set_up_help(app);
  cli::add_run(app, exit_code);
  cli::add_chat(app, exit_code);
  cli::add_inspect(app, exit_code);
  cli::add_tokenize(app, exit_code);
  cli::add_detokenize(app, exit_code);
  cli::add_template(app, exit_code);
  cli::add_grammar(app, exit_code);
  cli::add_logits(app, exit_code);
  cli::add_embed(app, exit_code);
  cli::add_perplexity(app, exit_code);
  cli::add_bench(app, exit_code);
  cli::add_fit(app, exit_code);
  cli::add_pull(app, exit_code);
  cli::add_models(app, exit_code);
  cli::add_rm(app, exit_code);
  cli::add_doctor(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 would only say that a command is missing.
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-') {
      return cli::finish(
          fail(Code::invalid_argument, "'{}' is not a command; wisp --help lists them", printable(argv[1])));
    }
    // CLI11 has a code of its own for each mistake; to us they are one.
    if (error.get_exit_code() != 0) {
      cli::note(std::string_view(cli::mistake_text(app, error)));
      return cli::kUsage;
    }
    std::ostringstream text;
    app.exit(error, text);
    return cli::finish(cli::print(text.str()));
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  cli::set_up_output();
  cli::set_up_interrupts();
  cli::guard_mapped_files();
  try {
    return run_command(argc, argv);
  } catch (const std::bad_alloc&) {
    return cli::finish(fail(Code::out_of_memory, "the system has no memory left"));
  } catch (const std::exception& error) {
    return cli::finish(fail(Code::internal, "{}", error.what()));
  }
}
