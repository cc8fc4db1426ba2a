// The command as a user meets it: exit codes, what goes to stdout, and the files it writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

using nlohmann::json;
using test::CommandOutcome;
using test::run_wisp;
using test::TemporaryFolder;

std::string shipped() { return (test::source_dir() / "models" / "wisp-stories.gguf").string(); }

std::string joined(const json& ids) {
  std::string text;
  for (const json& id : ids) text += (text.empty() ? "" : ",") + id.dump();
  return text;
}

std::size_t count(const std::string& text, char wanted) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), wanted));
}

// ---- usage ----

TEST(CliUsage, MistakesInTheCommandLineEndWith2AndSayNothingOnStdout) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"frobnicate"},
      {"run"},
      {"run", shipped(), "--no-such-option"},
      {"run", shipped(), "--prompt", "a", "--ids", "1"},
      {"run", shipped(), "--prompt", "a", "-n", "-1"},
      {"run", shipped(), "--prompt", "a", "--kv", "q9"},
      {"run", shipped(), "--prompt", "a", "--no-fuse", "nothing"},
      {"run", shipped(), "--prompt", "a", "--logit-bias", "three"},
      {"run", shipped(), "--prompt", "a", "--top-p", "-3"},
      {"run", shipped(), "--ids", "1,x"},
      {"run", shipped(), "--prompt", "a", "--seed", "-1"},
      {"run", shipped(), "--prompt", "a", "--seed", "18446744073709551616"},
      {"run", shipped(), "--ids", "1", "--print-ids", "--stop", "a"},
      {"logits", shipped(), "--ids", "1"},
      {"bench", shipped(), "--batch", "0"},
      {"fit", shipped(), "--memory", "lots"},
      {"doctor", "--threads", "0"},
  };
  for (const auto& arguments : mistakes) {
    const CommandOutcome outcome = run_wisp(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << testing::PrintToString(arguments) << outcome.err;
    EXPECT_EQ(outcome.out, "") << testing::PrintToString(arguments);
    EXPECT_NE(outcome.err, "") << testing::PrintToString(arguments);
  }
}

TEST(CliUsage, EveryHelpTeachesWithAnExample) {
  const CommandOutcome top = run_wisp({"--help"});
  EXPECT_EQ(top.exit_code, 0);
  for (const char* command : {"run", "chat", "inspect", "tokenize", "detokenize", "template", "logits", "embed",
                              "perplexity", "bench", "fit", "pull", "models", "rm", "doctor"}) {
    EXPECT_NE(top.out.find(command), std::string::npos) << command;
    const CommandOutcome help = run_wisp({command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_NE(help.out.find(std::string("wisp ") + command), std::string::npos) << command << " shows no example";
  }
}

TEST(CliUsage, VersionIsOneLine) {
  const CommandOutcome outcome = run_wisp({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out.rfind("wisp ", 0), 0u) << outcome.out;
  EXPECT_EQ(count(outcome.out, '\n'), 1u);
}

TEST(CliUsage, OutputThatCannotBeWrittenIsNoCrash) {
  const std::string command = "'" WISP_COMMAND "' run '" + shipped() + "' --prompt Once -n 60 --ignore-end --quiet";
  const auto exit_code_of = [](const std::string& script) {
    const int status = std::system(script.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(exit_code_of(command + " >/dev/full 2>/dev/null"), 3) << "a full disk is the machine's lack";
  // The reader leaves before the first word: nothing is left to do.
  const TemporaryFolder folder;
  exit_code_of("( " + command + "; echo $? >'" + (folder / "code") + "' ) 2>/dev/null | true");
  std::ifstream file(folder / "code");
  int code = -1;
  file >> code;
  EXPECT_EQ(code, 0);
}

// Each example line of docs/cli.md and docs/tool-calls.md, as it stands there.
TEST(CliUsage, TheExamplesOfTheManualRun) {
  int n = 0;
  for (const char* page : {"cli.md", "tool-calls.md"}) {
    std::ifstream manual(test::source_dir() / "docs" / page);
    for (std::string line; std::getline(manual, line);) {
      if (line.rfind("$ ", 0) != 0) continue;
      std::string script = line.substr(2);
      script.replace(script.find("wisp "), 4, "'" WISP_COMMAND "'");
      const int status = std::system(("cd '" WISP_SOURCE_DIR "' && " + script + " >/dev/null 2>&1").c_str());
      EXPECT_EQ(status, 0) << line;
      ++n;
    }
  }
  EXPECT_GT(n, 8);
}

TEST(CliTemplate, ReadsRequestsAndAnswers) {
  const TemporaryFolder folder;
  std::ofstream(folder / "form.jinja")
      << "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}"
         "<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
         "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  std::ofstream(folder / "request")
      << R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]})";
  std::ofstream(folder / "answer")
      << "<think>Hm.</think>So:\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>";
  const CommandOutcome prompt =
      run_wisp({"template", "--jinja", folder / "form.jinja", "--messages", folder / "request"});
  EXPECT_EQ(prompt.exit_code, 0) << prompt.err;
  EXPECT_EQ(prompt.out, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const CommandOutcome message = run_wisp({"template", "--jinja", folder / "form.jinja", "--messages",
                                           folder / "request", "--parse-output", folder / "answer"});
  EXPECT_EQ(message.exit_code, 0) << message.err;
  for (const char* part :
       {"\"content\": \"So:\"", "\"reasoning_content\": \"Hm.\"", "\"name\": \"f\"", R"({\"a\": 1})"}) {
    EXPECT_NE(message.out.find(part), std::string::npos) << message.out;
  }
  const CommandOutcome format = run_wisp({"template", "--jinja", folder / "form.jinja", "--show-format"});
  EXPECT_NE(format.out.find("<tool_call>"), std::string::npos) << format.out;
  EXPECT_EQ(run_wisp({"template", "--jinja", folder / "form.jinja"}).exit_code, 2);
  std::ofstream(folder / "bad") << R"({"messages": [{"content": "x"}]})";
  const CommandOutcome refused = run_wisp({"template", "--jinja", folder / "form.jinja", "--messages", folder / "bad"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("messages[0] has no role"), std::string::npos) << refused.err;
}

// ---- refusals ----

TEST(CliRefusals, AFileThatIsNotThereIsRefusedByName) {
  for (const char* command : {"inspect", "fit"}) {
    const CommandOutcome outcome = run_wisp({command, "/no/such/model.gguf"});
    EXPECT_EQ(outcome.exit_code, 1) << command;
    EXPECT_NE(outcome.err.find("/no/such/model.gguf"), std::string::npos) << outcome.err;
  }
}

TEST(CliRefusals, IdsOutsideTheVocabularyAndEndlessPromptsAreRefused) {
  EXPECT_EQ(run_wisp({"run", shipped(), "--ids", "1,4096", "--print-ids"}).exit_code, 1);
  std::string ids = "1";
  for (int i = 0; i < 40; ++i) ids += ",5";
  EXPECT_EQ(run_wisp({"run", shipped(), "--ids", ids, "--print-ids", "--context", "32"}).exit_code, 1);
  // 20 of them fit, 20 new ones do not.
  const CommandOutcome cut =
      run_wisp({"run", shipped(), "--ids", ids.substr(0, 39), "--print-ids", "-n", "20", "-c", "32"});
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_EQ(cut.out, "") << "all 20 ids or none";
}

TEST(CliRefusals, MemoryLimitIsTheMachinesLack) {
  const CommandOutcome outcome = run_wisp({"run", shipped(), "--prompt", "a", "--memory-limit", "4MiB"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST(CliRefusals, MalformedFilesEndAsTheirListSays) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  std::ifstream list(*data / "malformed" / "EXPECT.tsv");
  std::string line;
  std::getline(list, line);  // the heading
  int n = 0;
  while (std::getline(list, line)) {
    std::istringstream fields(line);
    std::string file, expect;
    std::getline(fields, file, '\t');
    std::getline(fields, expect, '\t');
    const CommandOutcome outcome = run_wisp({"run", (*data / "malformed" / file).string(), "--ids", "1,2,3", "-n", "2",
                                             "--greedy", "--print-ids", "--quiet"});
    if (expect == "accept") EXPECT_EQ(outcome.exit_code, 0) << file << ": " << outcome.err;
    if (expect == "reject") EXPECT_EQ(outcome.exit_code, 1) << file << ": " << outcome.err;
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 1 || outcome.exit_code == 3)
        << file << " ended with " << outcome.exit_code;
    if (outcome.exit_code != 0) EXPECT_EQ(outcome.out, "") << file;
    ++n;
  }
  EXPECT_GT(n, 50);
}

// ---- run ----

TEST(CliRun, PrintIdsPrintsExactlyOneLineOfNIds) {
  const CommandOutcome outcome =
      run_wisp({"run", shipped(), "--ids", "1,512,502", "-n", "32", "--greedy", "--print-ids"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(count(outcome.out, ','), 31u);
  EXPECT_EQ(count(outcome.out, '\n'), 1u);
  EXPECT_EQ(outcome.out.back(), '\n');
}

// The shipped model's own reference: ids are llama.cpp's, equal up to the first near-tie.
TEST(CliRun, GreedyIdsOfTheShippedModelAreTheReferences) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  std::ifstream lines(*data / "shipped" / "expected.jsonl");
  int compared = 0;
  for (std::string line; std::getline(lines, line);) {
    const json expected = json::parse(line);
    if (expected.at("model") != "wisp-stories.gguf") continue;
    const auto& greedy = expected.at("greedy");
    const CommandOutcome outcome = run_wisp({"run", shipped(), "--ids", joined(expected.at("ids")), "-n",
                                             std::to_string(greedy.size()), "--greedy", "--print-ids"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json made = json::parse("[" + outcome.out + "]");
    ASSERT_EQ(made.size(), greedy.size());
    for (std::size_t i = 0; i < greedy.size() && expected.at("margin").at(i) >= 0.3; ++i) {
      EXPECT_EQ(made.at(i), greedy.at(i)) << "step " << i << " of " << expected.at("prompt");
      ++compared;
    }
  }
  EXPECT_GT(compared, 20);
}

TEST(CliRun, JsonHoldsTextIdsAndTheReason) {
  const CommandOutcome outcome =
      run_wisp({"run", shipped(), "--prompt", "Once upon a time", "-n", "12", "--greedy", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result.at("ids").size(), 12u);
  EXPECT_EQ(result.at("finish_reason"), "length");
  EXPECT_EQ(result.at("prompt_ids").at(0), 1) << "the vocabulary's BOS";
  EXPECT_EQ(result.at("timings").at("new_tokens"), 12);
  // The same text is streamed without --json, with a line end behind it and nothing else.
  const CommandOutcome plain = run_wisp({"run", shipped(), "--prompt", "Once upon a time", "-n", "12", "--greedy"});
  EXPECT_EQ(plain.out, result.at("text").get<std::string>() + "\n");
  EXPECT_EQ(run_wisp({"run", shipped(), "-n", "12", "--greedy", "-q"}, "Once upon a time").out, plain.out)
      << "by stdin";
}

TEST(CliRun, TheSameSeedTellsTheSameStory) {
  const std::vector<std::string> with_seed = {"run", shipped(), "--prompt", "The",    "-n",
                                              "24",  "--seed",  "7",        "--quiet"};
  const CommandOutcome first = run_wisp(with_seed);
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_EQ(first.err, "") << "--quiet";
  EXPECT_EQ(first.out, run_wisp(with_seed).out);
  std::vector<std::string> other = with_seed;
  other[7] = "8";
  EXPECT_NE(first.out, run_wisp(other).out);
}

TEST(CliRun, StopStringsAndBiasesAreHeeded) {
  const json free =
      json::parse(run_wisp({"run", shipped(), "--prompt", "Once upon a time", "-n", "40", "--greedy", "--json"}).out);
  const std::string text = free.at("text");
  const std::string stop = text.substr(text.size() / 2, 5);
  const json stopped = json::parse(
      run_wisp({"run", shipped(), "--prompt", "Once upon a time", "-n", "40", "--greedy", "--json", "--stop", stop})
          .out);
  EXPECT_EQ(stopped.at("finish_reason"), "stop_string");
  EXPECT_EQ(stopped.at("text"), text.substr(0, text.find(stop)));
  const std::string first = free.at("ids").at(0).dump();
  const json biased = json::parse(run_wisp({"run", shipped(), "--prompt", "Once upon a time", "-n", "1", "--greedy",
                                            "--json", "--logit-bias", first + "=-inf"})
                                      .out);
  EXPECT_NE(biased.at("ids").at(0).dump(), first);
}

TEST(CliRun, ATraceIsJson) {
  const TemporaryFolder folder;
  ASSERT_EQ(
      run_wisp({"run", shipped(), "--ids", "1", "-n", "3", "--print-ids", "--trace", folder / "t.json"}).exit_code, 0);
  std::ifstream file(folder / "t.json");
  const json trace = json::parse(file);
  EXPECT_GT((trace.is_array() ? trace : trace.at("traceEvents")).size(), 10u);
}

// ---- chat ----

TEST(CliChat, AnswersAreAllThatStdoutHolds) {
  const CommandOutcome outcome = run_wisp({"chat", shipped(), "--greedy", "-n", "20"},
                                          "Hello!\n/stats\nTell me a story about a dog.\n/exit\nnever\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("/stats"), std::string::npos);
  EXPECT_EQ(outcome.out.find("<|"), std::string::npos) << "control tokens stay hidden";
  EXPECT_NE(outcome.err.find("weights"), std::string::npos) << "/stats";
  const CommandOutcome one = run_wisp({"chat", shipped(), "--greedy", "-n", "20", "--prompt", "Hello!"});
  EXPECT_EQ(outcome.out.rfind(one.out, 0), 0u) << "--prompt gives the first answer of the same conversation";
  EXPECT_GT(outcome.out.size(), one.out.size());
}

TEST(CliUsage, ChatTakesBackAsksAgainAndKeepsWhatWasSaid) {
  const test::TemporaryFolder folder;
  const std::string file = folder / "talk.json";
  const std::vector<std::string> arguments = {"chat", shipped(), "--greedy", "-n", "8"};
  const CommandOutcome first = run_wisp(arguments, "/undo\nHello!\n/retry\n/system Be brief.\n/save " + file + "\n");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.err.find("nothing to take back"), std::string::npos) << first.err;
  const std::size_t half = first.out.size() / 2;
  EXPECT_EQ(first.out.substr(0, half), first.out.substr(half)) << "greedy answers stay what they are";
  const auto saved = nlohmann::json::parse(std::ifstream(file)).at("messages");
  ASSERT_EQ(saved.size(), 3u);
  EXPECT_EQ(saved[0].at("content"), "Be brief.");
  EXPECT_EQ(saved[1].at("content"), "Hello!");
  EXPECT_EQ(saved[2].at("content").get<std::string>() + "\n", first.out.substr(0, half));

  // What was loaded is what the next answer sees.
  const CommandOutcome second = run_wisp(arguments, "/load " + file + "\n/undo\nHello!\n");
  const CommandOutcome same = run_wisp({"chat", shipped(), "--greedy", "-n", "8", "--system", "Be brief."}, "Hello!\n");
  EXPECT_EQ(second.out, same.out);
  for (const std::string_view bad :
       {"{}", "[1]", R"({"messages": [{"role": "user", "content": "a"}]})",
        R"({"messages": [{"role": "assistant", "content": "a"}]})", R"({"messages": [3]})"}) {
    std::ofstream(file) << bad;
    const CommandOutcome refused = run_wisp(arguments, "/load " + file + "\n");
    EXPECT_NE(refused.err.find("not a saved conversation"), std::string::npos) << refused.err;
  }
}

TEST(CliChat, AConversationOutlivesTheContext) {
  std::string questions;
  for (int i = 0; i < 6; ++i) questions += "Tell me a story about a big red dog and a cat.\n";
  const CommandOutcome outcome = run_wisp({"chat", shipped(), "--greedy", "-n", "24", "-c", "128"}, questions);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("forgotten"), std::string::npos) << outcome.err;
}

TEST(CliChat, WithoutATemplateItPointsToRun) {
  const auto data = test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is not set";
  const CommandOutcome outcome = run_wisp({"chat", (*data / "real" / "stories260K-f32.gguf").string()}, "Hello\n");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("wisp run"), std::string::npos) << outcome.err;
}

// ---- logits, perplexity ----

TEST(CliLogits, AreAllPositionsAndDoNotDependOnTheChunk) {
  const TemporaryFolder folder;
  std::string ids = "1";
  for (int i = 1; i < 50; ++i) ids += "," + std::to_string(i * 37 % 4096);
  ASSERT_EQ(run_wisp({"logits", shipped(), "--ids", ids, "--out", folder / "all.f32"}).exit_code, 0);
  const std::vector<float> all = test::read_floats(folder / "all.f32");
  ASSERT_EQ(all.size(), 50u * 4096);
  for (const char* chunk : {"1", "7", "32", "4096"}) {
    ASSERT_EQ(run_wisp({"logits", shipped(), "--ids", ids, "--out", folder / "chunk.f32", "--chunk", chunk}).exit_code,
              0);
    EXPECT_TRUE(test::read_bytes(folder / "all.f32") == test::read_bytes(folder / "chunk.f32"))
        << "chunks of " << chunk;
  }
  // The first new id of `run` is the largest of the last row.
  const CommandOutcome next =
      run_wisp({"run", shipped(), "--ids", ids, "-n", "1", "--greedy", "--print-ids", "--kv", "f32"});
  EXPECT_EQ(std::stoi(next.out), std::max_element(all.end() - 4096, all.end()) - (all.end() - 4096));
}

TEST(CliLogits, LeaveNoFileBehindWhenTheyAreRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(run_wisp({"logits", shipped(), "--ids", "1,99999", "--out", folder / "x.f32"}).exit_code, 1);
  EXPECT_EQ(
      run_wisp({"logits", shipped(), "--ids", "1,2,3,4,5,6,7,8,9", "-c", "4", "--out", folder / "x.f32"}).exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.f32"));
}

// Two windows, recomputed here from the logits that `wisp logits` gives.
TEST(CliPerplexity, IsTheExponentialOfTheMeanSurpriseOfSecondHalves) {
  const TemporaryFolder folder;
  const CommandOutcome story =
      run_wisp({"run", shipped(), "--prompt", "Once", "-n", "200", "--greedy", "--ignore-end", "-q"});
  std::ofstream(folder / "story.txt", std::ios::binary) << story.out;
  const CommandOutcome outcome = run_wisp({"perplexity", shipped(), "--file", folder / "story.txt", "--length", "64",
                                           "--windows", "2", "--kv", "f32", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  const json ids =
      json::parse(run_wisp({"tokenize", shipped(), "--file", folder / "story.txt", "--add-special", "--json"}).out)
          .at("ids");
  double sum = 0;
  int n = 0;
  for (std::size_t window = 0; window < 2; ++window) {
    json tokens(std::vector<json>(ids.begin() + static_cast<std::ptrdiff_t>(window * 64),
                                  ids.begin() + static_cast<std::ptrdiff_t>(window * 64 + 64)));
    tokens[0] = 1;  // BOS
    ASSERT_EQ(run_wisp({"logits", shipped(), "--ids", joined(tokens), "--out", folder / "w.f32"}).exit_code, 0);
    const std::vector<float> logits = test::read_floats(folder / "w.f32");
    for (std::size_t position = 32; position < 63; ++position) {
      const float* row = logits.data() + position * 4096;
      double total = 0;
      for (int token = 0; token < 4096; ++token) total += std::exp(static_cast<double>(row[token]));
      sum += std::log(total) - row[tokens.at(position + 1).get<std::size_t>()];
      ++n;
    }
  }
  EXPECT_EQ(result.at("scored_tokens"), n);
  EXPECT_NEAR(result.at("perplexity").get<double>(), std::exp(sum / n), 1e-3 * std::exp(sum / n));
}

// ---- machine ----

TEST(CliFit, TellsWithinFivePercentWhatIsThenMeasured) {
  const CommandOutcome outcome =
      run_wisp({"fit", shipped(), "--memory", "1GiB", "--batch", "4", "--measure", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  const auto near = [](double promised, double measured) { return std::abs(promised - measured) <= 0.05 * measured; };
  const json& measured = result.at("measured");
  EXPECT_PRED2(near, result.at("weights").get<double>(), measured.at("weights").get<double>());
  EXPECT_PRED2(near, result.at("kv").get<double>(), measured.at("kv").get<double>());
  EXPECT_PRED2(near, result.at("total").get<double>(), measured.at("process").get<double>());
  EXPECT_EQ(result.at("activations").get<std::uint64_t>(),
            measured.at("activations").get<std::uint64_t>() + measured.at("scratch").get<std::uint64_t>())
      << "one formula tells and allocates";
  EXPECT_EQ(result.at("largest_context"), 1024);
  EXPECT_TRUE(result.at("fits").get<bool>());
}

// Nothing is promised that the system would end the process for: keys and values get what is available.
TEST(CliRun, AContextThatMemoryDoesNotHoldGetsWhatThereIs) {
  const std::string context = "16777216";  // 64 GiB of keys and values
  const bool fits = json::parse(run_wisp({"fit", shipped(), "--context", context, "--json"}).out).at("fits");
  const CommandOutcome outcome =
      run_wisp({"run", shipped(), "--ids", "1,5", "-n", "4", "--greedy", "--print-ids", "-c", context});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  if (!fits) EXPECT_NE(outcome.err.find("are available, and longer texts end early"), std::string::npos) << outcome.err;
  const CommandOutcome small = run_wisp({"run", shipped(), "--ids", "1,5", "-n", "4", "--greedy", "--print-ids"});
  EXPECT_EQ(small.err.find("longer texts"), std::string::npos) << small.err;
  EXPECT_EQ(outcome.out, small.out);
}

TEST(CliFit, TheLargestContextFitsAndTheNextDoesNot) {
  const json result = json::parse(run_wisp({"fit", shipped(), "--memory", "15MiB", "--json"}).out);
  const int largest = result.at("largest_context");
  ASSERT_GT(largest, 0);
  ASSERT_LT(largest, 1024);
  const auto fits = [&](int context) {
    return json::parse(
               run_wisp({"fit", shipped(), "--memory", "15MiB", "--context", std::to_string(context), "--json"}).out)
        .at("fits")
        .get<bool>();
  };
  EXPECT_TRUE(fits(largest));
  EXPECT_FALSE(fits(largest + 32));
}

TEST(CliBench, ReportsEveryCase) {
  const std::vector<std::string> base = {"bench", shipped(), "--prefill", "32",       "--decode", "4",      "--batch",
                                         "1,2",   "--depth", "0,64",      "--repeat", "1",        "--quiet"};
  std::vector<std::string> as_json = base;
  as_json.push_back("--json");
  const CommandOutcome outcome = run_wisp(as_json);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  ASSERT_EQ(result.at("results").size(), 4u);
  for (const json& row : result.at("results")) {
    EXPECT_GT(row.at("prefill_tokens_per_second").get<double>(), 0);
    EXPECT_GT(row.at("decode_tokens_per_second").get<double>(), 0);
    EXPECT_GT(row.at("read_share").get<double>(), 0);
  }
  std::vector<std::string> as_csv = base;
  as_csv.push_back("--csv");
  const std::string csv = run_wisp(as_csv).out;
  EXPECT_EQ(count(csv, '\n'), 5u) << csv;
}

TEST(CliDoctor, NamesTheMachineAndTheChosenKernels) {
  const CommandOutcome outcome = run_wisp({"doctor", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_GT(result.at("limits").at("read_bytes_per_second").get<double>(), 1e8);
  EXPECT_GT(result.at("limits").at("int8_ops_per_second").get<double>(), 1e8);
  EXPECT_NE(result.at("why").get<std::string>(), "");
  bool among = false;
  for (const json& set : result.at("kernel_sets"))
    among |= set.at("name") == result.at("chosen") && set.at("runs_here");
  EXPECT_TRUE(among);
}

}  // namespace
}  // namespace wisp
