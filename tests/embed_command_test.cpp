// wisp embed, as a user runs it.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
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

json embed(std::vector<std::string> options, const std::string& input = {}) {
  std::vector<std::string> arguments = {"embed", shipped(), "--json", "-q"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const CommandOutcome outcome = run_wisp(arguments, input);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(outcome.out);
}

std::vector<double> vector_of(const json& result, std::size_t text = 0) {
  return result.at("texts").at(text).at("embedding").get<std::vector<double>>();
}

double length(const std::vector<double>& v) {
  double squares = 0.0;
  for (const double x : v) squares += x * x;
  return std::sqrt(squares);
}

TEST(CliEmbed, TheExamplesOfThePageRun) {
  const test::TemporaryFolder folder;
  EXPECT_GE(test::run_examples("embeddings.md", folder), 3);
}

TEST(CliEmbed, PoolsWhatNoPoolingShows) {
  const json each = embed({"--ids", "1,512,502,265", "--pooling", "none"});
  EXPECT_EQ(each.at("normalized"), false);
  const auto rows = each.at("texts").at(0).at("embedding").get<std::vector<std::vector<double>>>();
  ASSERT_EQ(rows.size(), 4u);
  const std::size_t width = rows[0].size();
  EXPECT_EQ(each.at("shape"), (json{4, width}));
  EXPECT_EQ(vector_of(embed({"--ids", "1,512,502,265", "--pooling", "last", "--no-normalize"})), rows[3]);
  EXPECT_EQ(vector_of(embed({"--ids", "1,512,502,265", "--pooling", "cls", "--no-normalize"})), rows[0]);
  EXPECT_EQ(vector_of(embed({"--ids", "1,512,502,265", "--no-normalize"})), rows[3]);  // the default
  const std::vector<double> mean = vector_of(embed({"--ids", "1,512,502,265", "--pooling", "mean"}));
  EXPECT_NEAR(length(mean), 1.0, 1e-5);
  std::vector<double> by_hand(width, 0.0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < width; ++i) by_hand[i] += row[i] / 4.0;
  }
  const double by_hand_length = length(by_hand);
  for (std::size_t i = 0; i < width; ++i) EXPECT_NEAR(mean[i], by_hand[i] / by_hand_length, 1e-5);
}

TEST(CliEmbed, ManyTextsAreEachAsAlone) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "lines") << "The cat sat.\n\nA dog ran.\n";
  const json all = embed({"--prompt", "Once upon a time", "--file", folder / "lines", "--lines", "--ids", "1,5"});
  ASSERT_EQ(all.at("texts").size(), 4u);
  EXPECT_EQ(vector_of(all, 0), vector_of(embed({"--ids", "1,5"})));
  EXPECT_EQ(vector_of(all, 1), vector_of(embed({"--prompt", "Once upon a time"})));
  EXPECT_EQ(vector_of(all, 3), vector_of(embed({"--file", "-"}, "A dog ran.")));
  std::vector<std::string> many;
  for (int i = 0; i < 40; ++i) many.insert(many.end(), {"--ids", "1," + std::to_string(100 + i)});
  const json result = embed(many);
  EXPECT_EQ(result.at("texts").size(), 40u);
  EXPECT_EQ(vector_of(result, 37), vector_of(embed({"--ids", "1,137"})));
}

TEST(CliEmbed, WritesFloats) {
  const test::TemporaryFolder folder;
  const CommandOutcome outcome = run_wisp(
      {"embed", shipped(), "--ids", "1,2,3", "--pooling", "none", "--out", folder / "out.f32", "--json", "-q"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json told = json::parse(outcome.out);
  const std::vector<float> floats = test::read_floats(folder / "out.f32");
  EXPECT_EQ(floats.size(), told.at("shape")[0].get<std::size_t>() * told.at("shape")[1].get<std::size_t>());
  EXPECT_FALSE(told.at("texts")[0].contains("embedding"));
  const auto rows = embed({"--ids", "1,2,3", "--pooling", "none"})
                        .at("texts")[0]
                        .at("embedding")
                        .get<std::vector<std::vector<float>>>();
  EXPECT_TRUE(std::equal(rows[1].begin(), rows[1].end(), floats.begin() + static_cast<std::ptrdiff_t>(rows[0].size())));
  const CommandOutcome plain = run_wisp({"embed", shipped(), "--ids", "1,2,3", "--pooling", "none", "-q"});
  EXPECT_EQ(json::parse(plain.out).get<std::vector<std::vector<float>>>(), rows);
}

TEST(CliEmbed, WhatMakesNoSenseIsRefused) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "what to embed?"},
      {{"--ids", "1,x"}, "'x'"},
      {{"--ids", "1", "--ids", "99999"}, "text 2"},
      {{"--ids", "1", "--pooling", "max"}, "'max' is no pooling"},
      {{"--ids", "1,2,3,4,5,6,7,8,9", "--context", "8"}, "text 1 has 9 tokens"},
      {{"--file", "/no/such/file"}, "/no/such/file"},
      {{"--prompt", "a", "--lines"}, "--file"},
      {{"--ids", "1", "--out", shipped()}, "--out"},
      {{"--ids", "1", "--out", "-", "--json"}, "--json"},
  };
  for (const auto& [options, message] : cases) {
    std::vector<std::string> arguments = {"embed", shipped()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_TRUE(outcome.exit_code == 1 || outcome.exit_code == 2) << message << outcome.exit_code;
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
}

}  // namespace
}  // namespace wisp
