// `wisp inspect` as a user meets it: the built command, its output, its exit codes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/gguf_bytes.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string out;  // stdout alone
};

std::string quoted(const std::string& argument) { return "'" + argument + "'"; }

Outcome inspect(const std::string& arguments) {
  const std::string command = quoted(WISP_COMMAND) + " inspect " + arguments + " 2>/dev/null";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  Outcome outcome;
  std::array<char, 4096> chunk{};
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), pipe)) outcome.out.append(chunk.data(), got);
  const int status = pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

class InspectCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "wisp-inspect";
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
  const std::string shipped_ = (test::source_dir() / "models" / "wisp-stories.gguf").string();
};

TEST_F(InspectCommand, SummarisesTheShippedModel) {
  const Outcome outcome = inspect(quoted(shipped_) + " --tensors");
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* part :
       {"wisp-stories", "llama", "7,344,384", "8.514 bits", "Q8_0", "4,096 tokens", "token_embd.weight"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << "lacks " << part << ":\n" << outcome.out;
  }
}

TEST_F(InspectCommand, JsonCountsAndShortens) {
  const Outcome outcome = inspect(quoted(shipped_) + " --json");
  ASSERT_EQ(outcome.exit_code, 0);
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("parameters"), 7'344'384);
  EXPECT_EQ(json.at("context_length"), 1024);
  EXPECT_EQ(json.at("tensors").size(), 74);
  EXPECT_EQ(json.at("metadata").at("llama.block_count"), (nlohmann::json{{"type", "u32"}, {"value", 8}}));
  const auto& tokens = json.at("metadata").at("tokenizer.ggml.tokens");
  EXPECT_EQ(tokens.at("length"), 4096);
  EXPECT_EQ(tokens.at("first").size(), 8);
  EXPECT_FALSE(tokens.contains("value"));

  const auto full = nlohmann::json::parse(inspect(quoted(shipped_) + " --json --full").out);
  EXPECT_EQ(full.at("metadata").at("tokenizer.ggml.tokens").at("value").size(), 4096);
}

// A file of no known architecture, whose strings are not text and whose numbers are not numbers.
TEST_F(InspectCommand, AnyGgufFileWillDo) {
  gguf::Metadata metadata;
  metadata.set("general.architecture", gguf::Value::text("no such \xff\x1b[2J thing"));
  metadata.set("bytes", gguf::Value::strings({"\xc3", "\xed\xa0\x80", std::string("\0", 1)}));
  metadata.set("nan", gguf::Value::f32(std::numeric_limits<float>::quiet_NaN()));
  metadata.set("bad key \xff", gguf::Value::floats(gguf::ValueType::f64, {-std::numeric_limits<double>::infinity()}));
  test::write_bytes(path("odd.gguf"), test::write_gguf(metadata, {}));
  const Outcome text = inspect(quoted(path("odd.gguf")));
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos) << "control bytes must not reach a terminal";
  const Outcome outcome = inspect(quoted(path("odd.gguf")) + " --json --full");
  ASSERT_EQ(outcome.exit_code, 0);
  const auto json = nlohmann::json::parse(outcome.out);  // throws on invalid UTF-8
  EXPECT_EQ(json.at("metadata").at("nan").at("value"), "NaN");
  EXPECT_EQ(json.at("metadata").at("bad key \\xff").at("value").at(0), "-Infinity");
}

TEST_F(InspectCommand, DumpsValuesAcrossChunks) {
  // Three rows of 65,536 + 32 elements: chunks do not end where rows do.
  const gguf::TensorInfo tensor{.name = "t", .type = gguf::TensorType::q8_0, .n_dims = 2, .dims = {65'568, 3, 1, 1}};
  const auto fill = [](std::size_t, std::span<std::byte> data) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      const std::size_t in_block = i % 34;
      const std::byte scale = in_block == 1 ? std::byte{0x3C} : std::byte{0};  // f16 1.0 in bytes 0 and 1
      data[i] = in_block < 2 ? scale : static_cast<std::byte>(i / 34 * 5 + in_block);
    }
  };
  test::write_bytes(path("m.gguf"), test::write_gguf({}, {tensor}, fill));
  const Outcome outcome = inspect(quoted(path("m.gguf")) + " --dump t --out " + quoted(path("t.f32")));
  ASSERT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
  const std::vector<float> values = test::read_floats(path("t.f32"));
  ASSERT_EQ(values.size(), 3 * 65'568);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto expected = static_cast<std::int8_t>(static_cast<std::uint8_t>(i / 32 * 5 + i % 32 + 2));
    ASSERT_EQ(values[i], static_cast<float>(expected)) << i;
  }
}

TEST_F(InspectCommand, ExitCodesSayWhoIsAtFault) {
  EXPECT_EQ(inspect("").exit_code, 2);
  EXPECT_EQ(inspect(quoted(shipped_) + " --dump token_embd.weight").exit_code, 2) << "--dump wants --out";
  EXPECT_EQ(inspect(quoted(path("missing.gguf"))).exit_code, 1);
  EXPECT_EQ(inspect(quoted(shipped_) + " --dump missing --out " + quoted(path("x"))).exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(path("x")));
  test::write_bytes(path("text"), std::as_bytes(std::span("not a model")));
  const Outcome refused = inspect(quoted(path("text")) + " --json");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.out, "") << "what went wrong belongs on stderr";
  if (std::filesystem::exists("/dev/full")) {
    EXPECT_EQ(inspect(quoted(shipped_) + " --dump token_embd.weight --out /dev/full").exit_code, 3);
  }
}

TEST_F(InspectCommand, NeverOverwritesTheModel) {
  std::filesystem::copy_file(shipped_, path("copy.gguf"));
  EXPECT_EQ(
      inspect(quoted(path("copy.gguf")) + " --dump output_norm.weight --out " + quoted(path("./copy.gguf"))).exit_code,
      2);
  EXPECT_EQ(std::filesystem::file_size(path("copy.gguf")), std::filesystem::file_size(shipped_));
}

}  // namespace
}  // namespace wisp
