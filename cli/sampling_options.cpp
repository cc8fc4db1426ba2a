#include "sampling_options.h"

#include <charconv>
#include <random>
#include <utility>

#include "arguments.h"

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

Result<sample::SamplingParams> sampling_params(const SamplingOptions& options, std::size_t n_vocab) {
  sample::SamplingParams params = options.params;
  if (options.greedy) params.temperature = 0;
  params.seed = options.seed ? *options.seed : std::random_device{}();
  WISP_CHECK(sample::validate(params, n_vocab));
  return params;
}

}  // namespace wisp::cli
