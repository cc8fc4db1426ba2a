#include "sampling_options.h"

#include <charconv>
#include <random>
#include <utility>

#include "arguments.h"
#include "text/spellings.h"

namespace wisp::cli {
namespace {

// "ID=VALUE"; VALUE may be -inf, which bans the token.
Result<std::pair<TokenId, float>> parse_bias(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string_view id_text = std::string_view(text).substr(0, equals);
  const std::string_view value_text =
      equals == std::string::npos ? std::string_view() : std::string_view(text).substr(equals + 1);
  TokenId id{};
  float value{};
  const auto [id_end, id_error] = std::from_chars(id_text.data(), id_text.data() + id_text.size(), id);
  const auto [end, error] = std::from_chars(value_text.data(), value_text.data() + value_text.size(), value);
  if (id_error != std::errc{} || error != std::errc{} || id_end != id_text.data() + id_text.size() ||
      end != value_text.data() + value_text.size()) {
    return fail(Code::invalid_argument, "'{}' is not ID=VALUE, as in 13=-inf", printable(text));
  }
  return std::pair{id, value};
}

void add_dry_breakers(CLI::App& command, SamplingOptions& options, const std::string& group) {
  command
      .add_option_function<std::vector<std::string>>(
          "--dry-sequence-breaker",
          [&options](const std::vector<std::string>& texts) {
            options.dry_breakers.clear();
            for (const std::string& text : texts) {
              if (text != "none") options.dry_breakers.push_back(text);
            }
          },
          "DRY sees no repetition across this text (may be repeated); none: no such text [newline, :, \", *]")
      ->allow_extra_args(false)
      ->type_name("TEXT")
      ->group(group);
}

void add_mirostat(CLI::App& command, SamplingOptions& options, const std::string& group) {
  command
      .add_option_function<std::string>(
          "--mirostat",
          [&options](const std::string& text) {
            if (text != "0" && text != "2") {
              throw CLI::ValidationError("--mirostat", fmt::format("'{}' is not 0 (off) or 2", printable(text)));
            }
            options.params.mirostat = text == "2";
          },
          "2: Mirostat 2 in place of all samplers that drop tokens; 0: not [0]")
      ->type_name("N")
      ->group(group);
}

void add_order(CLI::App& command, SamplingOptions& options, const std::string& group) {
  std::string usual;
  for (const sample::SamplerKind kind : sample::kUsualOrder) {
    if (!usual.empty()) usual += ";";
    usual += sample::sampler_name(kind);
  }
  command
      .add_option_function<std::string>(
          "--samplers",
          [&options](const std::string& text) {
            auto order = sample::parse_sampler_order(text);
            if (!order) throw CLI::ValidationError("--samplers", order.error().message);
            options.params.samplers = std::move(*order);
          },
          "Which samplers run, in this order [" + usual + "]")
      ->type_name("A;B;C")
      ->group(group);
}

}  // namespace

void add_sampling_options(CLI::App& command, SamplingOptions& options) {
  const std::string group = "The choice of tokens";
  sample::SamplingParams& params = options.params;
  const auto add = [&]<class T>(const std::string& name, T& value, const std::string& help) {
    command.add_option(name, value, help + fmt::format(" [{}]", value))
        ->check(refuse_empty)  // CLI11 would take it for 0
        ->type_name("X")
        ->group(group);
  };
  command.add_flag("--greedy", options.greedy, "Always the most likely token, the lowest id of a tie")->group(group);
  add("--temp", params.temperature, "Temperature: 0 is --greedy, more is wilder");
  add("--top-k", params.top_k, "Only the K most likely tokens; 0: all");
  add("--top-p", params.top_p, "Only the most likely tokens that hold this share of probability");
  add("--min-p", params.min_p, "Only tokens at least this likely against the most likely one");
  add("--repeat-penalty", params.repeat_penalty, "Divide the logits of tokens already there");
  add("--frequency-penalty", params.frequency_penalty, "Subtract this for each time that a token is already there");
  add("--presence-penalty", params.presence_penalty, "Subtract this once from tokens already there");
  add("--penalty-last-n", params.penalty_last_n, "How far back penalties look; -1: all the way");
  add("--typical-p", params.typical_p, "Only tokens of the most typical surprise that hold this share of probability");
  add("--top-n-sigma", params.top_n_sigma, "Only logits within X standard deviations of the highest; 0: all");
  add("--xtc-probability", params.xtc_probability, "How often to leave out all top choices but the least likely");
  add("--xtc-threshold", params.xtc_threshold, "From which probability on a token is a top choice");
  add("--dynatemp-range", params.dynatemp_range, "Move the temperature by up to X with how undecided the model is");
  add("--dynatemp-exponent", params.dynatemp_exponent, "How it follows that");
  add("--dry-multiplier", params.dry_multiplier, "DRY: penalty for going on with a repetition; 0: off");
  add("--dry-base", params.dry_base, "By how much it grows with each token that was repeated");
  add("--dry-allowed-length", params.dry_allowed_length, "Repetitions shorter than this are free");
  add("--dry-penalty-last-n", params.dry_penalty_last_n, "How far back DRY looks; -1: all the way");
  add_dry_breakers(command, options, group);
  add_mirostat(command, options, group);
  add("--mirostat-tau", params.mirostat_tau, "Bits of surprise a token that Mirostat aims at");
  add("--mirostat-eta", params.mirostat_eta, "How fast Mirostat learns");
  add_order(command, options, group);
  command
      .add_option_function<std::string>(
          "--seed",
          [&options](const std::string& text) {
            std::uint64_t seed = 0;  // CLI11's own conversion takes -1 and what is too large
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
            if (error != std::errc{} || end != text.data() + text.size()) {
              throw CLI::ValidationError("--seed",
                                         fmt::format("'{}' is not a seed: 0 to 18446744073709551615", printable(text)));
            }
            options.seed = seed;
          },
          "The same seed gives the same text [another one each time]")
      ->type_name("N")
      ->group(group);
  command
      .add_option_function<std::vector<std::string>>(
          "--logit-bias",
          [&params](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const auto bias = parse_bias(text);
              if (!bias) throw CLI::ValidationError("--logit-bias", bias.error().message);
              params.logit_bias.push_back(*bias);
            }
          },
          "Add VALUE to the logit of token ID (may be repeated); -inf bans it")
      ->allow_extra_args(false)
      ->type_name("ID=VALUE")
      ->group(group);
  command.add_option("--stop", options.stop, "End before this text (may be repeated)")
      ->allow_extra_args(false)
      ->type_name("TEXT")
      ->group(group);
}

Result<sample::SamplingParams> sampling_params(const SamplingOptions& options, std::size_t n_vocab,
                                               const text::Tokenizer* tokenizer) {
  sample::SamplingParams params = options.params;
  if (options.greedy) params.temperature = 0;
  params.seed = options.seed ? *options.seed : std::random_device{}();
  if (options.needs_text() && tokenizer != nullptr) {
    for (const std::string& text : options.dry_breakers) {
      auto sequences = text::spellings(*tokenizer, text);
      if (!sequences) return fail_in(sequences.error(), "--dry-sequence-breaker");
      params.dry_breakers.insert(params.dry_breakers.end(), sequences->begin(), sequences->end());
    }
  }
  WISP_CHECK(sample::validate(params, n_vocab));
  return params;
}

}  // namespace wisp::cli
