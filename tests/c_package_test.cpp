// The C library as others use it: what it exports, installed, found by pkg-config and by CMake, and used from C.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

namespace fs = std::filesystem;
using test::CommandOutcome;
using test::run_program;

const std::string kModel = (test::source_dir() / "models/wisp-stories.gguf").string();
const fs::path kHeader = test::source_dir() / "engine/api/wisp.h";

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

void expect_success(const CommandOutcome& outcome, const std::string& what) {
  ASSERT_EQ(outcome.exit_code, 0) << what << "\n" << outcome.out << outcome.err;
}

// Strict, as a careful user's build is.
const std::vector<std::string> kStrict = {"-Wall", "-Wextra", "-Wpedantic", "-Werror"};

// The library that was built with these tests, installed; the folder is moved afterwards, which must not matter.
class CPackage : public testing::Test {
 protected:
  void SetUp() override {
    expect_success(run_program("cmake", {"--install", WISP_BUILD_DIR, "--prefix", folder / "installed"}), "install");
    fs::rename(folder / "installed", prefix);
    library = fs::exists(prefix + "/lib/libwisp.a") ? prefix + "/lib" : find("libwisp.a").parent_path().string();
  }

  fs::path find(const std::string& name) const {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(prefix)) {
      if (entry.path().filename() == name) return entry.path();
    }
    ADD_FAILURE() << name << " was not installed";
    return {};
  }

  // Compiles one C file with what pkg-config says.
  void build_by_pkg_config(const std::string& source, const std::string& program, const std::string& standard) {
    setenv("PKG_CONFIG_PATH", find("wisp.pc").parent_path().c_str(), 1);
    const CommandOutcome flags = run_program("pkg-config", {"--cflags", "--libs", "wisp"});
    expect_success(flags, "pkg-config");
    std::vector<std::string> arguments = kStrict;
    arguments.insert(arguments.end(), {"-std=" + standard, source, "-o", program, "-Wl,-rpath," + library});
    for (const std::string& word : words_of(flags.out)) arguments.push_back(word);
    expect_success(run_program("gcc", arguments), "gcc " + source);
  }

  test::TemporaryFolder folder;
  std::string prefix = folder / "moved";
  std::string library;
};

// What the command says to the same prompt.
std::string expected_text(const std::string& prompt, const std::string& tokens) {
  const CommandOutcome outcome =
      test::run_wisp({"run", kModel, "--prompt", prompt, "-n", tokens, "--greedy", "-q", "-c", "256"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.out;
}

TEST_F(CPackage, TheExampleSaysWhatTheCommandSays) {
  const std::string source = (test::source_dir() / "examples/c/generate.c").string();
  const std::string expected = expected_text("Once upon a time", "30");
  ASSERT_GT(expected.size(), 40u);
  if (run_program("pkg-config", {"--version"}).exit_code != 0) GTEST_SKIP() << "pkg-config is not installed";
  for (const std::string standard : {"c99", "c11"}) {
    build_by_pkg_config(source, folder / standard, standard);
    const CommandOutcome outcome = run_program(folder / standard, {kModel, "Once upon a time", "30"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, expected);
  }
  EXPECT_EQ(run_program(folder / "c11", {"/nowhere.gguf", "x"}).exit_code, 1);
}

TEST_F(CPackage, CMakeFindsIt) {
  const std::string source = (test::source_dir() / "examples/c").string(), build = folder / "example";
  expect_success(run_program("cmake", {"-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_PREFIX_PATH=" + prefix,
                                       "-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Werror"}),
                 "configure");
  expect_success(run_program("cmake", {"--build", build}), "build");
  const std::string expected = expected_text("The dog", "12");
  for (const std::string program : {"generate", "generate_static"}) {
    const CommandOutcome outcome = run_program(build + "/" + program, {kModel, "The dog", "12"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, expected) << program;
  }
}

// The page of the C interface shows a whole program and what it prints.
TEST_F(CPackage, TheExampleOfTheDocumentationRuns) {
  const std::string page = read_text(test::source_dir() / "docs/c-api.md");
  const auto block = [&](const std::string& fence) {
    const std::size_t begin = page.find(fence);
    if (begin == std::string::npos) return std::string();
    return page.substr(begin + fence.size(), page.find("```\n", begin + fence.size()) - begin - fence.size());
  };
  const std::string program = block("```c\n"), printed = block("```text\n");
  ASSERT_GT(program.size(), 500u);
  std::ofstream(folder / "page.c") << program;
  if (run_program("pkg-config", {"--version"}).exit_code != 0) GTEST_SKIP() << "pkg-config is not installed";
  build_by_pkg_config(folder / "page.c", folder / "page", "c99");
  const CommandOutcome outcome = run_program(folder / "page", {kModel});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, printed);
}

std::set<std::string> declared_functions() {
  const std::string header = read_text(kHeader);
  const std::regex declaration(R"(\nWISP_API [^;]*?(wisp_\w+)\()");
  std::set<std::string> names;
  for (std::sregex_iterator match(header.begin(), header.end(), declaration), end; match != end; ++match) {
    names.insert((*match)[1]);
  }
  return names;
}

TEST(CHeader, TheLibraryExportsItsFunctionsAndNothingElse) {
  const CommandOutcome outcome =
      run_program("nm", {"-D", "--defined-only", "--format=posix", WISP_BUILD_DIR "/lib/libwisp.so"});
  expect_success(outcome, "nm");
  std::set<std::string> exported;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) exported.insert(line.substr(0, line.find(' ')));
  const std::set<std::string> declared = declared_functions();
  EXPECT_GT(declared.size(), 60u);
  EXPECT_EQ(exported, declared);
}

// The header alone, in C and in C++ of any age.
TEST(CHeader, CompilesAlone) {
  for (const auto& [compiler, language, standard] : std::initializer_list<std::array<std::string, 3>>{
           {"gcc", "c", "c99"}, {"gcc", "c", "c11"}, {"g++", "c++", "c++11"}, {"g++", "c++", "c++20"}}) {
    std::vector<std::string> arguments = kStrict;
    arguments.insert(arguments.end(), {"-x", language, "-std=" + standard, "-fsyntax-only", kHeader.string()});
    const CommandOutcome outcome = run_program(compiler, arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "") << standard;
  }
}

// Each function has a comment: its own, or the one of the group that it stands in.
TEST(CHeader, FunctionsAreDocumented) {
  std::istringstream lines(read_text(kHeader));
  bool documented = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) documented = false;
    if (line.find("*/") != std::string::npos || line.find("/*") != std::string::npos) documented = true;
    if (line.starts_with("WISP_API")) EXPECT_TRUE(documented) << line;
  }
}

}  // namespace
}  // namespace wisp
