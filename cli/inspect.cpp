#include "inspect.h"

#include <memory>

#include "arguments.h"
#include "dump_tensor.h"
#include "gguf/reader.h"
#include "inspect_report.h"
#include "json.h"
#include "model_source.h"
#include "output.h"

namespace wisp::cli {

namespace {

// Any GGUF file; a part of a split model shows the whole, or itself alone where the others are not there or do not fit.
// Not mapped: what is asked for is little, and a file that shrinks meanwhile is an error then, not a signal.
Result<gguf::File> open_for_inspection(const std::string& path) {
  auto model = gguf::open_model(path, gguf::Access::pread);
  if (model) return model;
  WISP_TRY(std::unique_ptr<gguf::ByteSource> source, gguf::open_pread(path));
  auto part = gguf::read_file(source);
  if (!part) return model;
  note("{}; this shows {} alone", model.error().message, printable(path, 400));
  return part;
}

Status inspect(const InspectOptions& options) {
  WISP_TRY(const std::string path, local_path({.name = options.path, .offline = options.offline}));
  WISP_TRY(const gguf::File file, open_for_inspection(path));
  if (!options.dump.empty()) {
    WISP_TRY(const std::uint64_t values, dump_tensor(file, options.dump, options.out));
    note("{}: {} float32 values", options.out, values);
    return {};
  }
  if (options.json) return print_json(inspect_json(file, options.full));
  return print(inspect_text(file, options.tensors, options.full));
}

}  // namespace

int run_inspect(const InspectOptions& options) { return finish(inspect(options)); }

void add_inspect(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("inspect", "Show what a GGUF file holds");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("FILE", options->path, "A GGUF file, any part of a split one, or a name as wisp pull takes it")
      ->required()
      ->check(refuse_empty)
      ->type_name("");
  command->add_flag("--offline", options->offline, "Fetch nothing: FILE is a file, or was fetched before");
  command->add_flag("--tensors", options->tensors, "List the tensors too");
  command->add_flag("--json", options->json, "Print JSON: everything, but of long arrays only the start");
  command->add_flag("--full", options->full, "Show long arrays and strings in full");
  CLI::Option* dump = command->add_option("--dump", options->dump, "Decode this tensor to float32 (with --out)")
                          ->check(refuse_empty)
                          ->type_name("TENSOR");
  CLI::Option* out =
      command
          ->add_option("-o,--out", options->out,
                       "The file for --dump: float32, little-endian, rows in order; - is standard output")
          ->check(refuse_empty)
          ->type_name("FILE");
  dump->needs(out);
  out->needs(dump);
  command->footer(
      "Any GGUF file will do: a model of an unknown architecture, a vocabulary, an adapter.\n"
      "Examples:\n"
      "  wisp inspect model.gguf --tensors\n"
      "  wisp inspect model.gguf --json | jq '.metadata[\"general.name\"].value'\n"
      "  wisp inspect model.gguf --dump token_embd.weight --out embedding.f32");
  command->callback([options, &exit_code] { exit_code = run_inspect(*options); });
}

}  // namespace wisp::cli
