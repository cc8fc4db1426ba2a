#include "model_source.h"

#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>

#include "arguments.h"
#include "base/clock.h"
#include "file_storage.h"
#include "interrupt.h"
#include "model_choice.h"
#include "output.h"
#include "system.h"

namespace wisp::cli {
namespace {

// "34 MiB/s", of what came since the start.
std::string rate(std::uint64_t bytes, std::uint64_t since_ns) {
  const double seconds = static_cast<double>(now_ns() - since_ns) * 1e-9;
  return seconds < 0.5 ? std::string()
                       : format_bytes(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)) + "/s";
}

}  // namespace

hub::ModelStore model_store() {
  const std::string cache = cache_folder();
  return hub::ModelStore(cache.empty() ? cache : cache + "/models");
}

void add_model_source(CLI::App& command, std::string& name, bool& offline, const std::string& help) {
  command.add_option("MODEL", name, help)->required()->check(refuse_empty)->type_name("");
  command.add_flag("--offline", offline, "Fetch nothing: MODEL is a file, or was fetched before");
}

void add_model_source(CLI::App& command, ModelSource& source, const std::string& help) {
  add_model_source(command, source.name, source.offline, help);
}

Result<hub::Pulled> pull_with_progress(const hub::HuggingFace& service, const hub::ModelName& name,
                                       const hub::PullOptions& options, std::uint64_t memory, bool quiet) {
  // A limit on the size of files is a full disk: an error of a write, not a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  std::optional<Progress> bar;
  std::string shown;
  std::uint64_t start_ns = 0, start_bytes = 0;
  const auto progress = [&](std::string_view what, std::uint64_t done, std::uint64_t total) {
    if (!bar || shown != what) {
      bar.reset();
      bar.emplace(std::string(what), !quiet);
      shown = what;
      start_ns = now_ns();
      start_bytes = done;
    }
    bar->show(done, total,
              fmt::format("{} of {}  {}", format_bytes(done), format_bytes(total),
                          rate(done - std::min(done, start_bytes), start_ns)));
    return !Interrupts::pending();
  };
  const auto say = [&](std::string_view text) {
    if (quiet) return;
    if (bar) bar->clear();
    note(text);
  };
  const auto choose = [&](const hub::Listing& listing, const hub::ReadHeader& read_header) -> Result<hub::Choice> {
    const std::uint64_t there = memory != 0 ? memory : system_memory().available;
    if (there == 0) return fail(Code::device, "this system does not tell its memory; name a type behind the name");
    return choose_for_memory(listing, there, read_header);
  };
  Result<hub::Pulled> pulled =
      hub::pull_model(model_store(), service, name, options, {.choose = choose, .progress = progress, .say = say});
  if (!pulled && pulled.error().code == Code::cancelled && Interrupts::pending()) {
    return fail_in(Interrupts::stopped().error(), "what came is kept, and the same command goes on");
  }
  return pulled;
}

Result<std::string> local_path(const ModelSource& source) {
  WISP_TRY(const hub::ModelName name, hub::parse_model_name(source.name));
  std::error_code ignored;
  const bool is_local = name.kind == hub::ModelName::Kind::local;
  if (is_local && std::filesystem::exists(source.name, ignored)) return source.name;
  const hub::ModelStore store = model_store();
  WISP_TRY(const std::optional<hub::StoredModel> stored, store.find(name));
  if (stored) {
    store.touch(*stored);
    return stored->path();
  }
  if (is_local) {
    // A repository that was fetched, without its "hf:".
    const Result<hub::ModelName> remote = hub::parse_remote_name(source.name);
    if (remote && remote->kind == hub::ModelName::Kind::repository) {
      WISP_TRY(const std::optional<hub::StoredModel> known, store.find(*remote));
      if (known) {
        store.touch(*known);
        return known->path();
      }
    }
    return source.name;  // whoever opens it says that it is not there
  }
  WISP_TRY(hub::HuggingFace service, hub::HuggingFace::from_environment());
  service.offline = service.offline || source.offline;
  const hub::PullOptions options{.sha256 = {}, .patience = hub::Patience::from_environment()};
  WISP_TRY(const hub::Pulled pulled, pull_with_progress(service, name, options, 0, source.quiet));
  return pulled.model.path();
}

}  // namespace wisp::cli
