// wisp pull: fetches a model.
#include <algorithm>
#include <memory>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "model_options.h"
#include "model_source.h"
#include "output.h"

namespace wisp::cli {
namespace {

struct PullCommand {
  std::string name, revision, sha256;
  std::uint64_t memory = 0;  // bytes; 0: what the system says is available
  int connections = 4;
  bool offline = false, json = false, quiet = false;
};

Json pulled_json(const hub::Pulled& pulled) {
  const hub::StoredModel& model = pulled.model;
  Json files = Json::array();
  for (const hub::StoredFile& file : model.files) {
    files.push_back({{"path", model.folder + "/" + file.path}, {"size", file.size}, {"sha256", file.sha256}});
  }
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"name", model.canonical()},
          {"short_name", model.short_name()},
          {"path", model.path()},
          {"type", or_null(model.type)},
          {"size", model.bytes()},
          {"architecture", or_null(model.architecture)},
          {"context", model.context == 0 ? Json() : Json(model.context)},
          {"commit", or_null(model.commit)},
          {"why", or_null(pulled.why)},
          {"was_here", pulled.was_here},
          {"downloaded_bytes", pulled.received},
          {"resumed_bytes", pulled.resumed},
          {"hash_known", pulled.was_here ? Json() : Json(pulled.verified)},
          {"files", files}};
}

Result<hub::ModelName> name_of(const PullCommand& options) {
  WISP_TRY(hub::ModelName name, hub::parse_remote_name(options.name));
  if (name.kind == hub::ModelName::Kind::local) {
    return fail(Code::invalid_argument,
                "'{}' is neither a repository nor an address; write hf:OWNER/REPO, hf:OWNER/REPO:Q4_K_M or "
                "https://HOST/model.gguf",
                printable(options.name, 200));
  }
  if (!options.revision.empty()) {
    if (name.kind != hub::ModelName::Kind::repository) {
      return fail(Code::invalid_argument, "--revision is for repositories");
    }
    if (name.revision != hub::kMainRevision && name.revision != options.revision) {
      return fail(Code::invalid_argument, "the name says revision {} and --revision {}", name.revision,
                  printable(options.revision));
    }
    name.revision = options.revision;
  }
  return name;
}

Status pull(const PullCommand& options) {
  const Interrupts interrupts;
  WISP_TRY(const hub::ModelName name, name_of(options));
  WISP_TRY(hub::HuggingFace service, hub::HuggingFace::from_environment());
  service.offline = service.offline || options.offline;
  if (service.offline) {
    const hub::ModelStore store = model_store();
    WISP_TRY(const auto stored, store.find(name));
    if (stored) {
      if (!options.quiet) note("it is here; whether it has changed at its source was not asked");
      const hub::Pulled here{.model = *stored, .why = {}, .was_here = true};
      return options.json ? print_json(pulled_json(here)) : print(stored->path() + "\n");
    }
  }
  const hub::PullOptions how{
      .sha256 = options.sha256, .connections = options.connections, .patience = hub::Patience::from_environment()};
  if (!how.sha256.empty() && name.kind == hub::ModelName::Kind::repository) {
    return fail(Code::invalid_argument, "--sha256 is for addresses; a repository tells its files' hashes itself");
  }
  WISP_TRY(const hub::Pulled pulled, pull_with_progress(service, name, how, options.memory, options.quiet));
  if (options.json) return print_json(pulled_json(pulled));
  WISP_CHECK(print(pulled.model.path() + "\n"));
  WISP_CHECK(flush_output());
  if (options.quiet) return {};
  if (pulled.was_here) {
    note("{} was here already, unchanged ({})", pulled.model.short_name(), format_bytes(pulled.model.bytes()));
  } else {
    note("{}: {} fetched{}, {}; run it as {}", pulled.model.short_name(), format_bytes(pulled.received),
         pulled.resumed == 0 ? std::string() : fmt::format(" and {} from before", format_bytes(pulled.resumed)),
         pulled.verified ? "its SHA-256 is right" : "whole by its own header (nobody tells its SHA-256)",
         pulled.model.canonical());
  }
  return {};
}

std::string check_sha256(std::string& text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool right = text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return right ? std::string() : "has to be 64 hexadecimal digits";
}

}  // namespace

void add_pull(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PullCommand>();
  CLI::App& command = *app.add_subcommand("pull", "Fetch a model from Hugging Face or an address");
  describe(
      command,
      "Fetches a model into the cache and prints the path of its (first) file. Without a type it takes the largest "
      "that\n"
      "leaves a tenth of the memory free with the default context, and says why. What was broken off goes on where "
      "it\n"
      "ended; what is here already is not fetched again; every file is checked before it gets its name. run, chat, "
      "bench\n"
      "and the other commands take the same names and fetch what is not here.");
  command.footer(
      "Examples:\n"
      "  wisp pull hf:OWNER/REPO-GGUF\n"
      "  wisp pull hf:OWNER/REPO-GGUF:Q4_K_M\n"
      "  wisp pull hf:OWNER/REPO-GGUF@v1.0:model-Q8_0.gguf --json\n"
      "  wisp pull https://example.com/model.gguf --sha256 DIGITS\n"
      "Environment: HF_TOKEN for what is private or gated, HF_ENDPOINT for a mirror, HF_HUB_OFFLINE=1, "
      "XDG_CACHE_HOME.");
  command.add_option("MODEL", options->name, "hf:OWNER/REPO[@REVISION][:FILE or TYPE], or an http(s) address")
      ->required()
      ->check(refuse_empty)
      ->type_name("");
  command.add_option("--revision", options->revision, "A branch, tag or commit of the repository [main]")
      ->check([](const std::string& text) {
        return hub::is_revision(text) ? std::string() : "is not a branch, tag or commit";
      })
      ->type_name("REV");
  command.add_option("--sha256", options->sha256, "What the file at an address must have as its SHA-256")
      ->check(CLI::Validator(check_sha256, "", "sha256"))
      ->type_name("HEX");
  add_parsed_option(command, "-m,--memory", options->memory,
                    "Choose the type for this much memory [what this system has available]", parse_bytes)
      ->type_name("SIZE");
  command.add_option("--connections", options->connections, "Ranges to fetch at once [4]")
      ->check(CLI::Range(1, 16))
      ->type_name("N");
  command.add_flag("--offline", options->offline, "Fetch nothing: only say where it is");
  command.add_flag("--json", options->json, "Print one object: name, path, type, size, why, what was fetched, files");
  command.add_flag("-q,--quiet", options->quiet, "No progress and no remarks on stderr, only errors");
  command.callback([options, &exit_code] { exit_code = finish(pull(*options)); });
}

}  // namespace wisp::cli
