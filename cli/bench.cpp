// wisp bench: how fast a model runs here, and how much of the machine that is.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "base/thread_pool.h"
#include "bench_run.h"
#include "commands.h"
#include "cpu/cpu_info.h"
#include "cpu/machine_limits.h"
#include "gpu/bandwidth.h"
#include "gpu/native/native_device.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "load_model.h"
#include "model_options.h"
#include "output.h"
#include "progress.h"

namespace wisp::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  BenchLengths lengths;
  std::vector<std::uint32_t> batches = {1};
  std::vector<std::uint32_t> depths = {0};
  std::uint32_t row_budget = 512;
  bool json = false, csv = false;
};

// A case and its figures, ready to print. Rates are 0 where nothing was measured.
struct Row {
  BenchCase one;
  double prefill_rate = 0;                           // tokens a second, all sequences together
  double decode_rate = 0;                            // the same
  double step_milliseconds = 0;                      // of a decode step
  double read_bytes_per_second = 0, read_share = 0;  // decode: weights and stored keys and values, of the machine's
  double int8_ops_per_second = 0, int8_share = 0;    // prefill: matrices, of the machine's
};

Row make_row(const BenchOptions& options, const runtime::Engine& engine, const cpu::MachineLimits& limits,
             const BenchCase& one, const BenchTimes& times) {
  const StepWork work = step_work(engine, one.depth + options.lengths.decode / 2.0, !options.model.no_repack);
  Row row{.one = one};
  if (times.prefill_seconds > 0) {
    const double tokens = static_cast<double>(one.batch) * options.lengths.prefill;
    row.prefill_rate = tokens / times.prefill_seconds;
    row.int8_ops_per_second = (tokens * work.ops_per_row + one.batch * work.ops_per_logit_row) / times.prefill_seconds;
    if (limits.int8_ops_per_second > 0) row.int8_share = row.int8_ops_per_second / limits.int8_ops_per_second;
  }
  if (times.decode_step_seconds > 0) {
    row.decode_rate = one.batch / times.decode_step_seconds;
    row.step_milliseconds = times.decode_step_seconds * 1e3;
    row.read_bytes_per_second =
        (static_cast<double>(work.weight_bytes) + one.batch * work.kv_bytes_per_sequence) / times.decode_step_seconds;
    row.read_share = row.read_bytes_per_second / limits.read_bytes_per_second;
  }
  return row;
}

// Of the device that computes. WebGPU has no measure of a GPU's int8 peak: 0.
Result<cpu::MachineLimits> measure_limits(const ModelOptions& options) {
  if (options.device == Device::gpu) {
    WISP_TRY(const std::unique_ptr<gpu::Device> device, gpu::make_native_device({.adapter = options.gpu}));
    WISP_TRY(const double bandwidth, gpu::memory_bandwidth(*device));
    return cpu::MachineLimits{.read_bytes_per_second = bandwidth, .int8_ops_per_second = 0, .threads = 0};
  }
  WISP_TRY(const cpu::Kernels* kernels, cpu::choose_kernels({}));
  WISP_TRY(const std::unique_ptr<ThreadPool> pool,
           ThreadPool::create(options.threads > 0 ? options.threads : cpu::cpu_info().logical_cores));
  return cpu::measure_machine(*pool, *kernels);
}

// ---- printing ----

std::string table(const BenchOptions& options, const std::vector<Row>& rows) {
  std::string text =
      fmt::format("{:>6} {:>7} {:>13} {:>12} {:>10} {:>10} {:>7} {:>12} {:>7}\n", "batch", "depth",
                  fmt::format("prefill {}", options.lengths.prefill), fmt::format("decode {}", options.lengths.decode),
                  "decode", "read", "of", "int8", "of");
  text += fmt::format("{:>6} {:>7} {:>13} {:>12} {:>10} {:>10} {:>7} {:>12} {:>7}\n", "", "", "t/s", "t/s", "ms/step",
                      "GB/s", "limit", "Gop/s", "limit");
  for (const Row& row : rows) {
    text += fmt::format("{:>6} {:>7} {:>13.1f} {:>12.2f} {:>10.2f} {:>10.2f} {:>5.0f} % {:>12.1f} {:>7}\n",
                        row.one.batch, row.one.depth, row.prefill_rate, row.decode_rate, row.step_milliseconds,
                        row.read_bytes_per_second * 1e-9, row.read_share * 100, row.int8_ops_per_second * 1e-9,
                        row.int8_share > 0 ? fmt::format("{:.0f} %", row.int8_share * 100) : "-");
  }
  return text;
}

std::string csv(const BenchOptions& options, const std::vector<Row>& rows) {
  std::string text =
      "batch,depth,prefill,decode,prefill_tokens_per_second,decode_tokens_per_second,decode_step_ms,"
      "read_bytes_per_second,read_share,int8_ops_per_second,int8_share\n";
  for (const Row& row : rows) {
    text += fmt::format("{},{},{},{},{:.3f},{:.3f},{:.4f},{:.0f},{:.4f},{:.0f},{:.4f}\n", row.one.batch, row.one.depth,
                        options.lengths.prefill, options.lengths.decode, row.prefill_rate, row.decode_rate,
                        row.step_milliseconds, row.read_bytes_per_second, row.read_share, row.int8_ops_per_second,
                        row.int8_share);
  }
  return text;
}

Json json(const BenchOptions& options, const runtime::Engine& engine, const cpu::MachineLimits& limits,
          const std::vector<Row>& rows) {
  Json results = Json::array();
  for (const Row& row : rows) {
    results.push_back({{"batch", row.one.batch},
                       {"depth", row.one.depth},
                       {"prefill_tokens_per_second", row.prefill_rate},
                       {"decode_tokens_per_second", row.decode_rate},
                       {"decode_step_ms", row.step_milliseconds},
                       {"read_bytes_per_second", row.read_bytes_per_second},
                       {"read_share", row.read_share},
                       {"int8_ops_per_second", row.int8_ops_per_second},
                       {"int8_share", row.int8_share}});
  }
  return {{"model", options.model.path},
          {"parameters", engine.model() != nullptr ? engine.model()->parameters() : 0},
          {"device", engine.executor().describe()},
          {"dispatches", engine.executor().dispatches()},
          {"peak_device_bytes", engine.executor().peak_device_bytes()},
          {"processor", cpu::cpu_info().model},
          {"kv", kv_name(options.model.kv)},
          {"prefill", options.lengths.prefill},
          {"decode", options.lengths.decode},
          {"repeat", options.lengths.repeat},
          {"limits",
           {{"threads", limits.threads},
            {"read_bytes_per_second", limits.read_bytes_per_second},
            {"int8_ops_per_second", limits.int8_ops_per_second}}},
          {"results", results}};
}

// ---------------------------------------------------------------------------------------------------------------------

Status bench(const BenchOptions& options) {
  const Interrupts interrupts;
  if (options.lengths.prefill == 0 && options.lengths.decode == 0) {
    return fail(Code::invalid_argument, "there is nothing to measure: --prefill and --decode are both 0");
  }
  const std::uint32_t deepest = *std::ranges::max_element(options.depths);
  // A sequence without depth decodes behind a prompt of one token.
  const std::uint32_t longest = deepest + std::max(options.lengths.prefill, 1 + options.lengths.decode);
  WISP_TRY(OpenedModel opened, open_model(options.model, NeedsText::no));
  if (options.model.context != 0 && options.model.context < longest && !options.model.window) {
    return fail(Code::limit, "the cases need a context of {} positions; without --context they have it", longest);
  }
  WISP_TRY(const cpu::MachineLimits limits, measure_limits(options.model));

  // One more sequence than any case runs, so that what is cached is not pushed out.
  const std::uint32_t most = *std::ranges::max_element(options.batches);
  runtime::EngineOptions engine;
  engine.max_sequences = most + 1;
  engine.max_logit_rows = most + 1;
  engine.row_budget = std::max(options.row_budget, most + 1);
  ModelOptions model_options = options.model;
  if (model_options.context == 0) {
    model_options.context = deepest + options.lengths.prefill + options.lengths.decode + 64;
  }
  WISP_TRY(LoadedModel model, load_model(std::move(opened), model_options, std::move(engine)));
  if (!options.model.quiet) {
    const std::string machine =
        limits.threads == 0
            ? fmt::format("copies {:.1f} GB/s", limits.read_bytes_per_second * 1e-9)
            : fmt::format("reads {:.1f} GB/s, int8 {:.0f} Gop/s at best with {} threads",
                          limits.read_bytes_per_second * 1e-9, limits.int8_ops_per_second * 1e-9, limits.threads);
    note("{}; {}", model.engine->executor().describe(), machine);
  }

  Progress progress("bench", !options.model.quiet);
  std::vector<Row> rows;
  const std::size_t n_cases = options.batches.size() * options.depths.size();
  for (const std::uint32_t depth : options.depths) {
    for (const std::uint32_t batch : options.batches) {
      const BenchCase one{batch, depth};
      progress.show(rows.size(), n_cases, fmt::format("batch {}, depth {}", batch, depth));
      WISP_TRY(const BenchTimes times, measure_case(*model.engine, one, options.lengths));
      rows.push_back(make_row(options, *model.engine, limits, one, times));
    }
  }
  progress.clear();
  WISP_CHECK(end_trace(model));
  if (options.json) return print_json(json(options, *model.engine, limits, rows));
  return print(options.csv ? csv(options, rows) : table(options, rows));
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App& command = *app.add_subcommand("bench", "Measure the speed of a model here");
  describe(
      command,
      "Times prompts (prefill) and single new tokens (decode) of many sequences at once, behind many tokens (depth).\n"
      "Medians over the repeats after one run for warmth. The machine's own limits are measured first: the share of "
      "its\n"
      "read bandwidth that decode reaches (weights, keys and values a step), and of its int8 peak that prefill "
      "reaches.\n"
      "On a GPU the first is the share of what reading or copying moves, and there is no second.");
  command.footer(
      "Examples:\n"
      "  wisp bench model.gguf\n"
      "  wisp bench model.gguf --prefill 512 --decode 32 --batch 1,8 --depth 0,4096 --json");
  add_model_options(command, options->model);
  command.get_option("--context")->description("Longest sequence in tokens [what the cases need]");
  command.add_option("--prefill", options->lengths.prefill, "Prompt tokens of each sequence [512]; 0: none")
      ->check(CLI::Range(0u, 65536u))
      ->type_name("N");
  command.add_option("--decode", options->lengths.decode, "New tokens of each sequence [32]; 0: none")
      ->check(CLI::Range(0u, 65536u))
      ->type_name("N");
  const auto counts_of = [](std::uint32_t least, std::uint32_t largest) {
    return [least, largest](const std::string& text) { return parse_counts(text, least, largest); };
  };
  add_parsed_option(command, "--batch", options->batches, "Sequences at once [1]", counts_of(1, 1024))
      ->type_name("N,N...");
  add_parsed_option(command, "--depth", options->depths, "Tokens each sequence holds already [0]",
                    counts_of(0, 1u << 20))
      ->type_name("N,N...");
  command.add_option("--repeat", options->lengths.repeat, "Measure N times, report the median [3]")
      ->check(CLI::Range(1u, 1000u))
      ->type_name("N");
  command.add_option("--rows", options->row_budget, "Rows of a step at most [512]")
      ->check(CLI::Range(1u, 65536u))
      ->type_name("N");
  CLI::Option* as_json = command.add_flag("--json", options->json, "Print one object");
  command.add_flag("--csv", options->csv, "Print comma-separated values")->excludes(as_json);
  command.callback([options, &exit_code] { exit_code = finish(bench(*options)); });
}

}  // namespace wisp::cli
