// The options that say how tokens are chosen, as a user gives them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/command.h"
#include "tests/examples.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using nlohmann::json;
using test::CommandOutcome;
using test::run_wisp;

std::string shipped() { return (test::source_dir() / "models/wisp-stories.gguf").string(); }

json run_json(std::vector<std::string> options, const std::string& prompt = "Once upon a time") {
  std::vector<std::string> arguments = {"run", shipped(), "--prompt", prompt, "--json", "-q"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const CommandOutcome outcome = run_wisp(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(outcome.out);
}

TEST(CliSampling, TheExamplesOfThePageRun) {
  const test::TemporaryFolder folder;
  EXPECT_GE(test::run_examples("sampling.md", folder), 5);
}

// Each option reaches the sampler: the same seed gives another text with it, and the same text twice.
TEST(CliSampling, EachOptionChangesTheText) {
  const std::string prompt = "One day, Lily and Tom went to the park. Lily and Tom went to the";
  const std::vector<std::string> common = {"-n", "24", "--seed", "5", "--temp", "1.1", "--ignore-end"};
  const auto text = [&](std::vector<std::string> options) {
    options.insert(options.end(), common.begin(), common.end());
    return run_json(options, prompt).at("ids");
  };
  const json plain = text({});
  const std::vector<std::vector<std::string>> changes = {
      {"--typical-p", "0.3"},
      {"--top-n-sigma", "0.1"},
      {"--xtc-probability", "1", "--xtc-threshold", "0.02"},
      {"--dynatemp-range", "1"},
      {"--dynatemp-range", "1", "--dynatemp-exponent", "0.1"},
      {"--dry-multiplier", "5"},
      {"--mirostat", "2", "--mirostat-tau", "1"},
      {"--samplers", "temperature"},
  };
  std::vector<json> made = {plain};
  for (const std::vector<std::string>& change : changes) {
    made.push_back(text(change));
    EXPECT_EQ(std::ranges::count(made, made.back()), 1) << change.front();
  }
  EXPECT_EQ(text(changes[2]), made[3]);
  EXPECT_EQ(text({"--samplers", "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"}), plain);
  EXPECT_EQ(text({"--mirostat", "0"}), plain);
}

TEST(CliSampling, DryHeedsItsBreakers) {
  const std::string prompt = "The cat sat. The dog sat. The cat sat. The dog";
  const auto first = [&](std::vector<std::string> options) {
    options.insert(options.end(), {"-n", "1", "--greedy"});
    return run_json(options, prompt).at("ids").at(0);
  };
  const json free = first({});
  const std::string dry = "--dry-multiplier", much = "50";
  EXPECT_EQ(first({dry, much, "--dry-allowed-length", "1", "--dry-sequence-breaker", "dog"}), free);
  if (free.dump() == run_json({"-n", "1", "--greedy"}, "The cat sat. The dog").at("ids").at(0).dump()) {
    EXPECT_NE(first({dry, much, "--dry-allowed-length", "1", "--dry-sequence-breaker", "none"}), free);
  }
  // Ids alone have texts all the same where DRY needs them.
  EXPECT_EQ(run_wisp({"run", shipped(), "--ids", "1,512", "-n", "3", "--print-ids", "--seed", "1", dry, "1"}).exit_code,
            0);
}

TEST(CliSampling, DryInAChatHeedsItsBreakers) {
  const auto answer = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"chat", shipped(), "-q", "--greedy", "-n", "40"});
    options.insert(options.end(), {"--prompt", "Tell me a story about a dog."});
    const CommandOutcome outcome = run_wisp(options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  const std::vector<std::string> dry = {"--dry-multiplier", "50", "--dry-allowed-length", "1"};
  std::vector<std::string> by_sentence = dry;
  by_sentence.insert(by_sentence.end(), {"--dry-sequence-breaker", "."});
  const std::string plain = answer({}), held = answer(dry), freer = answer(by_sentence);
  EXPECT_NE(held, plain);
  EXPECT_NE(freer, plain);
  EXPECT_NE(freer, held);
}

TEST(CliSampling, LogprobsAreTold) {
  const json result = run_json({"-n", "6", "--seed", "4", "--logprobs", "3"});
  const json& tokens = result.at("logprobs");
  ASSERT_EQ(tokens.size(), 6u);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(tokens[i].at("id"), result.at("ids").at(i));
    EXPECT_LE(tokens[i].at("logprob"), 0.0);
    for (const int byte : tokens[i].at("bytes")) text += static_cast<char>(byte);
    ASSERT_EQ(tokens[i].at("top").size(), 3u);
    EXPECT_GE(tokens[i].at("top")[0].at("logprob"), tokens[i].at("top")[1].at("logprob"));
    for (const json& top : tokens[i].at("top")) {
      if (top.at("id") == tokens[i].at("id")) EXPECT_EQ(top.at("logprob"), tokens[i].at("logprob"));
    }
  }
  EXPECT_EQ(text, result.at("text").get<std::string>());

  const json sure = run_json({"-n", "6", "--seed", "4", "--logprobs", "50", "--logprobs-mass", "0.8"});
  EXPECT_EQ(sure.at("ids"), result.at("ids"));
  for (const json& token : sure.at("logprobs")) {
    double mass = 0.0;
    for (std::size_t i = 0; i < token.at("top").size(); ++i) {
      EXPECT_LT(mass, 0.8);
      mass += std::exp(token.at("top")[i].at("logprob").get<double>());
    }
  }
  const json greedy = run_json({"-n", "2", "--greedy", "--logprobs", "3", "--logprobs-after"});
  for (const json& token : greedy.at("logprobs")) EXPECT_EQ(token.at("logprob"), 0.0);
  EXPECT_FALSE(run_json({"-n", "1"}).contains("logprobs"));
}

TEST(CliSampling, WhatMakesNoSenseIsRefused) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--samplers", "top_k;nonsense"}, "'nonsense' is no sampler"},
      {{"--samplers", "top_k;top_k"}, "twice"},
      {{"--mirostat", "1"}, "not 0 (off) or 2"},
      {{"--xtc-threshold", "1.5"}, "xtc_threshold is 1.5"},
      {{"--typical-p", "nan"}, "typical_p is nan"},
      {{"--dry-base", "0.5"}, "dry_base is 0.5"},
      {{"--dry-multiplier", "1", "--dry-sequence-breaker", std::string(65, 'x')}, "--dry-sequence-breaker"},
      {{"--logprobs", "3"}, "--json"},
      {{"--json", "--logprobs", "3", "--logprobs-mass", "7"}, "mass is 7"},
  };
  for (const auto& [options, message] : cases) {
    std::vector<std::string> arguments = {"run", shipped(), "--prompt", "a"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_TRUE(outcome.exit_code == 1 || outcome.exit_code == 2) << options.front();
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
}

}  // namespace
}  // namespace wisp
