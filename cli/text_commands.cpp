#include "text_commands.h"

#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "base/format.h"
#include "base/result.h"
#include "base64.h"
#include "gguf/reader.h"
#include "model_source.h"
#include "output.h"
#include "text/tokenizer.h"

namespace wisp::cli {
namespace {

using text::EncodeOptions;
using text::Tokenizer;

Result<std::unique_ptr<Tokenizer>> open_tokenizer(const ModelSource& source) {
  WISP_TRY(const std::string path, local_path(source));
  WISP_TRY(const gguf::File file, gguf::open_model(path));
  auto vocabulary = text::read_vocabulary(file.metadata);
  auto tokenizer = vocabulary ? Tokenizer::create(std::move(*vocabulary)) : std::unexpected(vocabulary.error());
  if (!tokenizer) return fail_in(tokenizer.error(), "{}", path);
  return tokenizer;
}

std::string ids_as_json(const std::vector<TokenId>& ids) {
  std::string line = "{\"ids\": [";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    fmt::format_to(std::back_inserter(line), "{}{}", i > 0 ? ", " : "", ids[i]);
  }
  return line + "]}\n";
}

// A line a token: its id and the text it stands for.
std::string ids_as_table(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string table;
  for (const TokenId id : ids) {
    fmt::format_to(std::back_inserter(table), "{:>8}  '{}'\n", id, printable(tokenizer.token_bytes(id, true)));
  }
  return table;
}

// One request line of --jsonl: {"text" or "text_b64", "add_special", "parse_special"}.
struct Line {
  std::string text;
  EncodeOptions options;
};

Result<Line> parse_line(const std::string& source, EncodeOptions defaults) {
  const auto object = nlohmann::json::parse(source, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return fail(Code::invalid_file, "not a JSON object");
  Line line{.text = {}, .options = defaults};
  const auto plain = object.find("text");
  const auto base64 = object.find("text_b64");
  if ((plain == object.end()) == (base64 == object.end())) {
    return fail(Code::invalid_file, "expected either \"text\" or \"text_b64\"");
  }
  const auto& value = plain != object.end() ? *plain : *base64;
  if (!value.is_string()) return fail(Code::invalid_file, "the text is not a string");
  if (plain != object.end()) {
    line.text = value.get<std::string>();
  } else {
    std::optional<std::string> bytes = decode_base64(value.get_ref<const std::string&>());
    if (!bytes) return fail(Code::invalid_file, "\"text_b64\" is not base64");
    line.text = std::move(*bytes);
  }
  for (const auto& [name, flag] :
       {std::pair{"add_special", &line.options.add_special}, std::pair{"parse_special", &line.options.parse_special}}) {
    const auto given = object.find(name);
    if (given == object.end()) continue;
    if (!given->is_boolean()) return fail(Code::invalid_file, "\"{}\" is not true or false", name);
    *flag = given->get<bool>();
  }
  return line;
}

// A line at a time, so that another program may ask and wait for the answer.
Status tokenize_lines(const Tokenizer& tokenizer, const std::string& path, EncodeOptions defaults) {
  WISP_TRY(TextFile file, TextFile::open(path));
  std::string source;
  for (std::uint64_t number = 1;; ++number) {
    WISP_TRY(const bool more, file.next(source));
    if (!more) return {};
    if (source.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Result<Line> line = parse_line(source, defaults);
    if (!line) return fail_in(line.error(), "{} line {}", printable(path, 400), number);
    WISP_TRY(const std::vector<TokenId> ids, tokenizer.encode(line->text, line->options));
    WISP_CHECK(print(ids_as_json(ids)));
    if (path == "-") WISP_CHECK(flush_output());
  }
}

struct TokenizeOptions {
  ModelSource model;
  std::string file, text, jsonl;
  EncodeOptions encode;
  bool json = false;
};

Status tokenize(const TokenizeOptions& options) {
  WISP_TRY(const auto tokenizer, open_tokenizer(options.model));
  if (!options.jsonl.empty()) return tokenize_lines(*tokenizer, options.jsonl, options.encode);
  std::string text = options.text;
  if (!options.file.empty()) {
    WISP_TRY(text, read_text_file(options.file));
  }
  WISP_TRY(const std::vector<TokenId> ids, tokenizer->encode(text, options.encode));
  if (options.json) return print(ids_as_json(ids));
  WISP_CHECK(print(ids_as_table(*tokenizer, ids)));
  WISP_CHECK(flush_output());
  note("{} tokens for {} bytes", ids.size(), text.size());
  return {};
}

Status detokenize(const ModelSource& model, const std::string& list) {
  std::vector<TokenId> ids;
  if (!list.empty()) {  // no ids are no bytes
    WISP_TRY(ids, parse_ids(list));
  }
  WISP_TRY(const auto tokenizer, open_tokenizer(model));
  WISP_CHECK(check_ids(ids, tokenizer->vocabulary().tokens.size()));
  return print(tokenizer->decode(ids));
}

}  // namespace

void add_tokenize(CLI::App& app, int& exit_code) {
  CLI::App* const command = app.add_subcommand("tokenize", "Text to token ids, by a model's own vocabulary");
  const auto options = std::make_shared<TokenizeOptions>();
  add_model_source(*command, options->model, "A GGUF file, or a name as wisp pull takes it; only its metadata is read");
  CLI::Option_group* const input = command->add_option_group("Input", "what to tokenize (one of)");
  input->add_option("--file", options->file, "The exact bytes of this file (- for standard input)")
      ->check(refuse_empty)
      ->type_name("FILE");
  input->add_option("--text", options->text, "This text")->type_name("TEXT");
  input
      ->add_option(
          "--jsonl", options->jsonl,
          "A JSON object a line, {\"text\" or \"text_b64\", \"add_special\", \"parse_special\"} (- for standard\n"
          "input); answers a line each. A flag that a line lacks is as on the command line; other fields are ignored")
      ->check(refuse_empty)
      ->type_name("FILE");
  input->require_option(1);
  command->add_flag("--add-special", options->encode.add_special, "Add BOS and EOS where the vocabulary wants them");
  command->add_flag("--parse-special", options->encode.parse_special,
                    "The text of control tokens, such as <s>, becomes those tokens");
  command->add_flag("--json", options->json, "One line, {\"ids\": [1, 2, 3]}, instead of a table of ids and pieces");
  command->footer(
      "Examples:\n"
      "  wisp tokenize model.gguf --text 'Once upon a time'\n"
      "  wisp tokenize model.gguf --file prompt.txt --add-special --parse-special --json");
  command->callback([options, &exit_code] { exit_code = finish(tokenize(*options)); });
}

void add_detokenize(CLI::App& app, int& exit_code) {
  CLI::App* const command = app.add_subcommand("detokenize", "Token ids to the exact bytes they stand for");
  const auto model = std::make_shared<ModelSource>();
  const auto ids = std::make_shared<std::string>();
  add_model_source(*command, *model, "A GGUF file, or a name as wisp pull takes it; only its metadata is read");
  command->add_option("--ids", *ids, "Token ids, separated by commas")->required()->type_name("1,2,3");
  command->footer(
      "Special tokens are shown as their text, and nothing is added, not even a line end.\n"
      "Example:\n"
      "  wisp detokenize model.gguf --ids 1,512,502");
  command->callback([model, ids, &exit_code] { exit_code = finish(detokenize(*model, *ids)); });
}

}  // namespace wisp::cli
