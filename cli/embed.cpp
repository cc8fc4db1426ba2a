// wisp embed: texts to vectors.
#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
#include "runtime/pooling.h"

namespace wisp::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is little-endian");

constexpr std::uint32_t kRows = 512;
constexpr std::uint32_t kMostAtOnce = 16;  // texts

struct EmbedOptions {
  ModelOptions model;
  std::vector<std::string> prompts, files, ids;
  bool lines = false;
  std::optional<runtime::Pooling> pooling;
  bool normalize = false, no_normalize = false;  // neither: as the pooling is used
  std::string out;
  bool json = false;
};

// ---- the texts ----

Result<std::vector<std::string>> read_texts(const EmbedOptions& options) {
  std::vector<std::string> texts = options.prompts;
  for (const std::string& path : options.files) {
    if (!options.lines) {
      WISP_TRY(texts.emplace_back(), read_text_file(path));
      continue;
    }
    WISP_TRY(TextFile file, TextFile::open(path));
    std::string line;
    while (true) {
      WISP_TRY(const bool more, file.next(line));
      if (!more) break;
      if (!line.empty()) texts.push_back(line);
    }
  }
  return texts;
}

Result<std::vector<std::vector<TokenId>>> read_sequences(const EmbedOptions& options, const OpenedModel& opened) {
  std::vector<std::vector<TokenId>> sequences;
  for (const std::string& ids : options.ids) {
    WISP_TRY(sequences.emplace_back(), parse_ids(ids));
  }
  WISP_TRY(const std::vector<std::string> texts, read_texts(options));
  for (const std::string& text : texts) {
    WISP_TRY(sequences.emplace_back(), opened.tokenizer->encode(text, {.add_special = true}));
  }
  if (sequences.empty()) return fail(Code::invalid_argument, "there is no text in what was given");
  return sequences;
}

Status check_sequences(const std::vector<std::vector<TokenId>>& sequences, const ModelShape& shape) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].empty()) return fail(Code::limit, "text {} is empty", i + 1);
    if (const Status ids = check_ids(sequences[i], shape.vocabulary); !ids) {
      return fail_in(ids.error(), "text {}", i + 1);
    }
    if (sequences[i].size() > shape.positions) {
      return fail(Code::limit, "text {} has {} tokens, the context {} positions; shorten it or use --context N", i + 1,
                  sequences[i].size(), shape.positions);
    }
  }
  return {};
}

// ---- the vectors ----

struct Embedding {
  std::uint32_t n_tokens = 0;
  std::vector<float> vectors;  // [width], or [tokens, width] without pooling
};

class Embedder {
 public:
  Embedder(runtime::Engine& engine, runtime::Pooling pooling, bool normalize, bool quiet)
      : engine_(engine), pooling_(pooling), normalize_(normalize), progress_("texts", !quiet) {}

  // All texts at once, as the engine sees fit.
  Result<std::vector<Embedding>> run(std::vector<std::vector<TokenId>> sequences) {
    const std::uint32_t width = graph::output_width(engine_.graph());
    embeddings_.resize(sequences.size());
    poolers_.reserve(sequences.size());
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto n = static_cast<std::uint32_t>(sequences[i].size());
      embeddings_[i].n_tokens = n;
      poolers_.emplace_back(pooling_, width, n, normalize_);
    }
    std::vector<runtime::RequestId> running;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      WISP_TRY(running.emplace_back(), submit(i, std::move(sequences[i])));
    }
    while (finished_ < running.size()) {
      if (Interrupts::pending()) return std::unexpected(Interrupts::stopped().error());
      WISP_TRY(const bool worked, engine_.step());
      if (!worked && finished_ < running.size()) {
        return fail(Code::internal, "the engine stopped before all texts were computed");
      }
    }
    progress_.clear();
    WISP_CHECK(outcome_);
    return std::move(embeddings_);
  }

 private:
  Result<runtime::RequestId> submit(std::size_t i, std::vector<TokenId> ids) {
    runtime::Request request;
    request.prompt = std::move(ids);
    request.max_new_tokens = 0;
    request.logits_from = poolers_[i].first_position();
    request.on_logits = [this, i](std::uint32_t position, std::span<const float> hidden) {
      poolers_[i].add(position, hidden);
    };
    request.on_finish = [this, i](const runtime::FinishEvent& event) {
      if (event.reason == runtime::FinishReason::length) {
        embeddings_[i].vectors = poolers_[i].finish();
      } else if (outcome_) {
        const Error why = event.reason == runtime::FinishReason::error
                              ? event.error
                              : Error{Code::out_of_memory, "keys and values did not fit the memory"};
        outcome_ = fail_in(why, "text {}", i + 1);
      }
      finished_ += 1;
      progress_.show(finished_, embeddings_.size(), fmt::format("{} of {}", finished_, embeddings_.size()));
    };
    return engine_.submit(std::move(request));
  }

  runtime::Engine& engine_;
  runtime::Pooling pooling_;
  bool normalize_;
  Progress progress_;
  std::vector<Embedding> embeddings_;
  std::vector<runtime::Pooler> poolers_;
  std::size_t finished_ = 0;
  Status outcome_;
};

Status write_vectors(const std::string& path, const std::vector<Embedding>& embeddings) {
  WISP_TRY(OutputFile file, OutputFile::create(path));
  for (const Embedding& embedding : embeddings) {
    const std::span<const float> vectors = embedding.vectors;
    WISP_CHECK(file.write({reinterpret_cast<const char*>(vectors.data()), vectors.size_bytes()}));
  }
  return file.close();
}

// An array of numbers, or of arrays of `width` numbers where each token has its own.
Json vectors_json(const Embedding& embedding, bool each_token, std::uint32_t width) {
  if (!each_token) return embedding.vectors;
  Json rows = Json::array();
  for (std::size_t begin = 0; begin < embedding.vectors.size(); begin += width) {
    const auto row = std::span(embedding.vectors).subspan(begin, width);
    rows.push_back(std::vector<float>(row.begin(), row.end()));
  }
  return rows;
}

Status embed(const EmbedOptions& options) {
  if (options.json && options.out == "-") {
    return fail(Code::invalid_argument, "--json and --out - cannot both have standard output");
  }
  if (options.prompts.empty() && options.files.empty() && options.ids.empty()) {
    return fail(Code::invalid_argument, "what to embed? Give --prompt TEXT, --file FILE or --ids 1,2,3");
  }
  const Interrupts interrupts;
  const bool ids_only = options.prompts.empty() && options.files.empty();
  WISP_TRY(OpenedModel opened, open_model(options.model, ids_only ? NeedsText::no : NeedsText::yes));
  if (!options.out.empty()) WISP_CHECK(refuse_model_as_output(opened.file, "--out", options.out));
  WISP_TRY(std::vector<std::vector<TokenId>> sequences, read_sequences(options, opened));
  WISP_TRY(const ModelShape shape, shape_of(opened.file, options.model));
  WISP_CHECK(check_sequences(sequences, shape));
  runtime::Pooling pooling = options.pooling.value_or(runtime::Pooling::last);
  if (!options.pooling) {
    WISP_TRY(pooling, runtime::pooling_of(opened.file.metadata));
  }
  const bool each_token = pooling == runtime::Pooling::none;
  const bool normalize = options.normalize || (!options.no_normalize && !each_token);

  runtime::EngineOptions engine = one_sequence(kRows);
  engine.output = graph::Output::hidden;
  engine.max_sequences = static_cast<std::uint32_t>(std::min<std::size_t>(sequences.size(), kMostAtOnce));
  engine.max_logit_rows = kRows;
  engine.max_waiting_requests = static_cast<std::uint32_t>(sequences.size());
  engine.max_waiting_tokens = std::numeric_limits<std::uint64_t>::max();
  WISP_TRY(LoadedModel model, load_model(std::move(opened), options.model, std::move(engine)));
  const std::uint32_t width = graph::output_width(model.engine->graph());
  Embedder embedder(*model.engine, pooling, normalize, options.model.quiet);
  WISP_TRY(const std::vector<Embedding> embeddings, embedder.run(std::move(sequences)));
  WISP_CHECK(end_trace(model));

  if (!options.out.empty()) WISP_CHECK(write_vectors(options.out, embeddings));
  std::size_t n_vectors = 0;
  for (const Embedding& embedding : embeddings) n_vectors += embedding.vectors.size() / width;
  if (options.json) {
    Json result = {{"pooling", runtime::pooling_name(pooling)},
                   {"normalized", normalize},
                   {"shape", {n_vectors, width}},
                   {"device", model.engine->executor().describe()}};
    if (!options.out.empty()) {
      result["file"] = options.out;
      result["type"] = "float32le";
    }
    Json texts = Json::array();
    for (const Embedding& embedding : embeddings) {
      Json& text = texts.emplace_back(Json{{"tokens", embedding.n_tokens}});
      if (options.out.empty()) text["embedding"] = vectors_json(embedding, each_token, width);
    }
    result["texts"] = std::move(texts);
    return print_json_line(result);
  }
  if (options.out.empty()) {
    for (const Embedding& embedding : embeddings) {
      WISP_CHECK(print_json_line(vectors_json(embedding, each_token, width)));
    }
    return {};
  }
  if (!options.model.quiet) note("[{}, {}] float32 in {}", n_vectors, width, options.out);
  return {};
}

}  // namespace

void add_embed(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App& command = *app.add_subcommand("embed", "Turn texts into vectors");
  describe(command,
           "Computes texts and gives their hidden states behind the final norm: one vector a text, or, without "
           "pooling, one a\n"
           "token. Texts get BOS and EOS as the vocabulary says; ids are taken as they are. Prints an array of numbers "
           "a text\n"
           "on stdout, or writes float32, little-endian, [vectors, d_model], in the order: --ids, --prompt, --file.");
  command.footer(
      "Examples:\n"
      "  wisp embed model.gguf --prompt \"A cat sat.\" --prompt \"A dog ran.\" --pooling mean\n"
      "  wisp embed model.gguf --file lines.txt --lines --out vectors.f32\n"
      "  wisp embed model.gguf --ids 1,450,2 --pooling none --out states.f32");
  add_model_options(command, options->model, graph::KvType::f32);
  const std::string group = "The texts (each may be repeated)";
  command.add_option("-p,--prompt", options->prompts, "A text")
      ->allow_extra_args(false)
      ->type_name("TEXT")
      ->group(group);
  CLI::Option* file = command.add_option("-f,--file", options->files, "A file with a text; - is standard input")
                          ->allow_extra_args(false)
                          ->check(refuse_empty)
                          ->type_name("FILE")
                          ->group(group);
  command.add_flag("--lines", options->lines, "Each line of the files that is not empty is a text of its own")
      ->needs(file)
      ->group(group);
  command.add_option("--ids", options->ids, "Token ids of a text")
      ->allow_extra_args(false)
      ->type_name("1,2,3")
      ->group(group);
  const auto read_pooling = [](const std::string& text) -> Result<std::optional<runtime::Pooling>> {
    WISP_TRY(const runtime::Pooling pooling, runtime::parse_pooling(text));
    return pooling;
  };
  add_parsed_option(command, "--pooling", options->pooling,
                    "What stands for a text: the last, mean or cls (first) state of its tokens, or none: each [the "
                    "file's, else last]",
                    read_pooling)
      ->type_name("last|mean|cls|none");
  CLI::Option* normalize = command.add_flag("--normalize", options->normalize,
                                            "Scale vectors to a length of 1 [yes; with --pooling none: no]");
  command.add_flag("--no-normalize", options->no_normalize, "Leave them as long as they are")->excludes(normalize);
  command.add_option("-o,--out", options->out, "The file to write; - is standard output")
      ->check(refuse_empty)
      ->type_name("FILE");
  command.add_flag("--json", options->json, "Print one object: pooling, shape, device, and the vectors without --out");
  command.callback([options, &exit_code] { exit_code = finish(embed(*options)); });
}

}  // namespace wisp::cli
