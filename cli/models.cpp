// wisp models and wisp rm: what was fetched, and away with it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "commands.h"
#include "help.h"
#include "json.h"
#include "load_model.h"
#include "memory_estimate.h"
#include "model_source.h"
#include "output.h"
#include "system.h"

namespace wisp::cli {
namespace {

// Whether a model runs here with the default context.
struct Fitness {
  std::optional<bool> fits;  // nothing: it cannot be told
  std::uint64_t needs = 0;
  std::string why;
};

Fitness fitness(const hub::StoredModel& model, std::uint64_t available) {
  Fitness fitness;
  const Result<gguf::File> file = gguf::open_model(model.path(), gguf::Access::pread);
  const Result<MemoryEstimate> estimate =
      file ? estimate_memory(*file, {}, one_sequence()) : std::unexpected(file.error());
  if (!estimate) {
    fitness.fits = false;
    fitness.why = estimate.error().message;
    return fitness;
  }
  fitness.needs = estimate->total();
  if (available == 0) {
    fitness.why = "this system does not tell its memory";
    return fitness;
  }
  const std::uint64_t granted = available - available / 10;
  fitness.fits = fitness.needs <= granted;
  fitness.why = fmt::format("takes {} with a context of {}; {} are available, a tenth of them staying free",
                            format_bytes(fitness.needs), estimate->context, format_bytes(available));
  return fitness;
}

std::string date(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts = {};
  char text[32] = "";
  if (gmtime_r(&time, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return "?";
  return text;
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json model_json(const hub::StoredModel& model, const Fitness& fitness) {
  Json files = Json::array();
  for (const hub::StoredFile& file : model.files) {
    files.push_back({{"path", model.folder + "/" + file.path}, {"size", file.size}, {"sha256", file.sha256}});
  }
  return {{"name", model.short_name()},
          {"source", model.canonical()},
          {"path", model.path()},
          {"size", model.bytes()},
          {"type", or_null(model.type)},
          {"architecture", or_null(model.architecture)},
          {"context", model.context == 0 ? Json() : Json(model.context)},
          {"fits", fitness.fits ? Json(*fitness.fits) : Json()},
          {"needs", fitness.needs == 0 ? Json() : Json(fitness.needs)},
          {"why", fitness.why},
          {"commit", or_null(model.commit)},
          {"pulled", date(model.pulled)},
          {"last_used", date(model.last_used)},
          {"files", files}};
}

Status print_models_json(const std::vector<hub::StoredModel>& models, const std::vector<hub::StoredPart>& parts,
                         std::uint64_t available) {
  Json result = {{"models", Json::array()}, {"partial", Json::array()}, {"available_memory", available}};
  for (const hub::StoredModel& model : models) result["models"].push_back(model_json(model, fitness(model, available)));
  for (const hub::StoredPart& part : parts) {
    result["partial"].push_back(
        {{"source", or_null(part.source)}, {"path", part.path}, {"done", part.done}, {"size", part.size}});
  }
  return print_json(result);
}

struct ModelsCommand {
  bool json = false;
};

Status list_models(const ModelsCommand& options) {
  const hub::ModelStore store = model_store();
  const std::vector<hub::StoredModel> models = store.list();
  const std::vector<hub::StoredPart> parts = store.parts();
  const std::uint64_t available = system_memory().available;
  if (options.json) return print_models_json(models, parts, available);
  std::size_t width = 4;
  for (const hub::StoredModel& model : models) width = std::max(width, model.short_name().size());
  std::string table;
  if (!models.empty()) {
    table = fmt::format("{:<{}}  {:>10}  {:<8}  {:<12}  {:>8}  {:<10}  FITS\n", "NAME", width, "SIZE", "TYPE",
                        "ARCHITECTURE", "CONTEXT", "LAST USED");
  }
  for (const hub::StoredModel& model : models) {
    const Fitness fit = fitness(model, available);
    const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
    table += fmt::format("{:<{}}  {:>10}  {:<8}  {:<12}  {:>8}  {:<10}  {}: {}\n", model.short_name(), width,
                         format_bytes(model.bytes()), or_dash(model.type), or_dash(model.architecture),
                         model.context == 0 ? "-" : std::to_string(model.context), date(model.last_used).substr(0, 10),
                         !fit.fits   ? "unknown"
                         : *fit.fits ? "yes"
                                     : "no",
                         fit.why);
    table += fmt::format("{:<{}}  {}\n", "", width, model.canonical());
  }
  WISP_CHECK(print(table));
  WISP_CHECK(flush_output());
  for (const hub::StoredPart& part : parts) {
    note("begun: {} of {} of {}", format_bytes(part.done), format_bytes(part.size),
         printable(part.source.empty() ? part.path : part.source, 400));
  }
  if (models.empty()) note("no models are here; wisp pull hf:OWNER/REPO fetches one");
  return {};
}

struct RemoveCommand {
  std::vector<std::string> names;
  bool all_partial = false, yes = false, quiet = false;
};

// Asks on the terminal. Where there is none, --yes has to have been said.
Result<bool> confirmed(const RemoveCommand& options, const std::string& what) {
  if (options.yes) return true;
  if (isatty(STDIN_FILENO) != 1 || !stderr_is_terminal()) {
    return fail(Code::invalid_argument, "nobody is there to ask whether {} may go; --yes says so", what);
  }
  std::fputs(fmt::format("Remove {}? [y/N] ", what).c_str(), stderr);
  char answer[16] = "";
  return std::fgets(answer, sizeof answer, stdin) != nullptr && (answer[0] == 'y' || answer[0] == 'Y');
}

// Of broken-off downloads, whether it is of what the name says.
bool is_of(const hub::StoredPart& part, const hub::ModelName& name) {
  if (name.kind == hub::ModelName::Kind::address) return part.source.starts_with(name.text + "#");
  if (name.kind != hub::ModelName::Kind::repository) return part.path == name.text;
  const std::string source = "hf:" + name.repository + "@" + name.revision + ":";
  if (!part.source.starts_with(source)) return false;
  const std::string file = part.source.substr(source.size());
  return name.selection.empty() || file == name.selection ||
         hub::type_in_name(file) == hub::type_in_name(name.selection);
}

Status remove_named(const RemoveCommand& options, const hub::ModelStore& store, const std::string& text) {
  WISP_TRY(hub::ModelName name, hub::parse_model_name(text));
  WISP_TRY(std::optional<hub::StoredModel> model, store.find(name));
  if (!model && name.kind == hub::ModelName::Kind::local) {
    WISP_TRY(name, hub::parse_remote_name(text));
    if (name.kind == hub::ModelName::Kind::repository) {
      WISP_TRY(model, store.find(name));
    }
  }
  if (model) {
    const std::string what = fmt::format("{} ({})", model->canonical(), format_bytes(model->bytes()));
    WISP_TRY(const bool go, confirmed(options, what));
    if (!go) return {};
    WISP_CHECK(store.remove(*model));
    if (!options.quiet) note("removed {}", what);
    return {};
  }
  bool found = false;
  for (const hub::StoredPart& part : store.parts()) {
    if (!is_of(part, name)) continue;
    found = true;
    const std::string what = fmt::format("what was begun of {}", printable(part.source, 400));
    WISP_TRY(const bool go, confirmed(options, what));
    if (!go) continue;
    WISP_CHECK(store.remove(part));
    if (!options.quiet) note("removed {}", what);
  }
  if (!found)
    return fail(Code::not_found, "'{}' is not among the models here; wisp models lists them", printable(text, 200));
  return {};
}

Status remove_models(const RemoveCommand& options) {
  if (options.names.empty() && !options.all_partial) {
    return fail(Code::invalid_argument, "what to remove? Give a name of wisp models, or --all-partial");
  }
  const hub::ModelStore store = model_store();
  for (const std::string& name : options.names) WISP_CHECK(remove_named(options, store, name));
  if (!options.all_partial) return {};
  std::uint64_t bytes = 0;
  std::size_t in_use = 0;
  const std::vector<hub::StoredPart> parts = store.parts();
  if (!parts.empty()) {
    WISP_TRY(const bool go, confirmed(options, fmt::format("{} unfinished downloads", parts.size())));
    if (!go) return {};
  }
  for (const hub::StoredPart& part : parts) {
    const Status removed = store.remove(part);
    if (!removed && removed.error().code == Code::limit) {
      ++in_use;
      continue;
    }
    WISP_CHECK(removed);
    bytes += part.done;
  }
  store.remove_empty_folders();
  if (!options.quiet) {
    note("removed {} unfinished downloads ({}){}", parts.size() - in_use, format_bytes(bytes),
         in_use == 0 ? std::string() : fmt::format("; {} are being fetched just now", in_use));
  }
  return {};
}

}  // namespace

void add_models(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ModelsCommand>();
  CLI::App& command = *app.add_subcommand("models", "List the models that were fetched");
  describe(
      command,
      "Name, size, type, architecture, trained context, last use, and whether each fits this machine's memory with "
      "the\n"
      "default context, and why. Either name may be given to run, chat, bench and the others.");
  command.footer("Examples:\n  wisp models\n  wisp models --json | jq '.models[].name'");
  command.add_flag("--json", options->json, "Print one object: models, partial, available_memory");
  command.callback([options, &exit_code] { exit_code = finish(list_models(*options)); });
}

void add_rm(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RemoveCommand>();
  CLI::App& command = *app.add_subcommand("rm", "Remove models that were fetched");
  describe(command,
           "Removes a model's files and what was begun beside them. Asks on a terminal; elsewhere --yes is needed.");
  command.footer(
      "Examples:\n"
      "  wisp rm hf:OWNER/REPO-GGUF:Q4_K_M\n"
      "  wisp rm Model-Q8_0 --yes\n"
      "  wisp rm --all-partial --yes");
  command.add_option("NAME", options->names, "Names as wisp models shows them")->check(refuse_empty)->type_name("");
  command.add_flag("--all-partial", options->all_partial, "All downloads that were not finished");
  command.add_flag("-y,--yes", options->yes, "Do not ask");
  command.add_flag("-q,--quiet", options->quiet, "No remarks on stderr, only errors");
  command.callback([options, &exit_code] { exit_code = finish(remove_models(*options)); });
}

}  // namespace wisp::cli
