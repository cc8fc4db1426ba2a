// wisp logits: the raw numbers behind every prediction, for checking from outside.
#include <bit>
#include <memory>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "load_model.h"
#include "model_options.h"
#include "output.h"
#include "output_file.h"
#include "progress.h"
#include "scoring.h"

namespace wisp::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is little-endian");

struct LogitsOptions {
  ModelOptions model;
  std::string ids;
  std::string out;
  std::uint32_t chunk = 0;
  bool json = false;
};

constexpr std::uint32_t kDefaultRows = 512;

Status logits(const LogitsOptions& options) {
  if (options.json && options.out == "-") {
    return fail(Code::invalid_argument, "--json and --out - cannot both have standard output");
  }
  WISP_TRY(const std::vector<TokenId> ids, parse_ids(options.ids));
  const Interrupts interrupts;
  runtime::EngineOptions engine = one_scored_sequence(std::max(kDefaultRows, options.chunk));
  engine.prompt_chunk = options.chunk;
  WISP_TRY(OpenedModel opened, open_model(options.model, NeedsText::no));
  WISP_CHECK(refuse_model_as_output(opened.file, "--out", options.out));
  WISP_TRY(const ModelShape shape, shape_of(opened.file, options.model));
  WISP_CHECK(check_ids(ids, shape.vocabulary));
  WISP_TRY(LoadedModel model, load_model(std::move(opened), options.model, std::move(engine)));

  WISP_TRY(OutputFile file, OutputFile::create(options.out));
  Progress progress("positions", !options.model.quiet);
  const auto take = [&](std::uint32_t position, std::span<const float> row) {
    progress.show(position, ids.size(), fmt::format("{} of {}", position, ids.size()));
    return file.write({reinterpret_cast<const char*>(row.data()), row.size_bytes()});
  };
  WISP_CHECK(score(*model.engine, ids, 0, take));
  WISP_CHECK(file.close());
  progress.clear();
  WISP_CHECK(end_trace(model));
  if (options.json) {
    return print_json({{"file", options.out},
                       {"type", "float32le"},
                       {"shape", {ids.size(), shape.vocabulary}},
                       {"device", model.engine->executor().describe()},
                       {"dispatches", model.engine->executor().dispatches()},
                       {"kv", kv_name(options.model.kv)}});
  }
  if (!options.model.quiet) note("[{}, {}] float32 in {}", ids.size(), shape.vocabulary, options.out);
  return {};
}

}  // namespace

void add_logits(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App& command = *app.add_subcommand("logits", "Write the logits of every position to a file");
  describe(
      command,
      "Computes the ids as they are (no BOS is added) and writes float32, little-endian, [n_ids, n_vocab]: row i "
      "predicts\n"
      "the token after id i, after all of the model's capping and scaling. Rows are written as they are computed.\n"
      "Keys and values are f32 here unless --kv says otherwise.");
  command.footer(
      "Example:\n"
      "  wisp logits model.gguf --ids 1,450,2 --out logits.f32\n"
      "  python3 -c \"import numpy; print(numpy.fromfile('logits.f32', '<f4').reshape(3, -1).argmax(1))\"");
  add_model_options(command, options->model, graph::KvType::f32);
  command.add_option("--ids", options->ids, "Token ids")->required()->type_name("1,2,3");
  command.add_option("-o,--out", options->out, "The file to write; - is standard output")
      ->required()
      ->check(refuse_empty)
      ->type_name("FILE");
  command.add_option("--chunk", options->chunk, "Compute N positions a step [512]; changes no bit of the result")
      ->check(CLI::Range(1u, 65536u))
      ->type_name("N");
  command.add_flag("--json", options->json, "Print one object: what was written, and what computed it");
  command.callback([options, &exit_code] { exit_code = finish(logits(*options)); });
}

}  // namespace wisp::cli
