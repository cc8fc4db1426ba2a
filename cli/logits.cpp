// wisp logits: the raw numbers behind every prediction, for checking from outside.
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "interrupt.h"
#include "load_model.h"
#include "model_options.h"
#include "output.h"
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
};

constexpr std::uint32_t kDefaultRows = 512;

// A file that is only left behind when it was finished.
class OutFile {
 public:
  static Result<OutFile> create(const std::string& path) {
    OutFile file(path);
    if (path != "-") {
      file.file_.reset(std::fopen(path.c_str(), "wb"));
      if (file.file_ == nullptr)
        return fail(Code::io, "cannot create {}: {}", printable(path, 400), std::strerror(errno));
    }
    return file;
  }
  OutFile(OutFile&&) = default;
  OutFile& operator=(OutFile&&) = delete;
  ~OutFile() {
    if (file_ == nullptr) return;
    file_.reset();
    std::remove(path_.c_str());
  }

  Status write(std::span<const float> values) {
    const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    if (path_ == "-") return print(bytes);
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return failure();
    return {};
  }
  Status close() {
    if (path_ == "-") return flush_output();
    if (std::fclose(file_.release()) != 0) return failure();
    return {};
  }

 private:
  explicit OutFile(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Status failure() const {
    return fail(Code::device, "cannot write {}: {}", printable(path_, 400), std::strerror(errno));
  }

  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

Status logits(const LogitsOptions& options) {
  WISP_TRY(const std::vector<TokenId> ids, parse_ids(options.ids));
  const Interrupts interrupts;
  runtime::EngineOptions engine = one_scored_sequence(std::max(kDefaultRows, options.chunk));
  engine.prompt_chunk = options.chunk;
  WISP_TRY(const LoadedModel model, load_model(options.model, NeedsText::no, std::move(engine)));
  WISP_CHECK(check_ids(ids, model.engine->vocabulary()));

  WISP_TRY(OutFile file, OutFile::create(options.out));
  Progress progress("positions", !options.model.quiet);
  const auto take = [&](std::uint32_t position, std::span<const float> row) {
    progress.show(position, ids.size(), fmt::format("{} of {}", position, ids.size()));
    return file.write(row);
  };
  WISP_CHECK(score(*model.engine, ids, 0, take));
  WISP_CHECK(file.close());
  progress.clear();
  if (!options.model.quiet) note("[{}, {}] float32 in {}", ids.size(), model.engine->vocabulary(), options.out);
  return {};
}

}  // namespace

void add_logits(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App& command = *app.add_subcommand("logits", "Write the logits of every position to a file");
  command.description(
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
      ->type_name("FILE");
  command.add_option("--chunk", options->chunk, "Compute N positions a step [512]; changes no bit of the result")
      ->check(CLI::Range(1u, 65536u))
      ->type_name("N");
  command.callback([options, &exit_code] { exit_code = finish(logits(*options)); });
}

}  // namespace wisp::cli
