// The house of docs/architecture.md: what stands lower may include what stands above it, never the reverse. Read from
// the #include lines, so a shortcut turns red before it becomes a habit.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace wisp {
namespace {

namespace fs = std::filesystem;

// Beside itself, each may include these.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"base", {}},
    {"gguf", {"base"}},
    {"text", {"base", "gguf"}},
    {"quant", {"base", "gguf"}},
    {"graph", {"base", "gguf", "quant"}},
    {"model", {"base", "gguf", "quant", "graph"}},
    {"kv", {"base", "gguf", "quant", "graph", "model"}},
    {"sample", {"base", "gguf", "quant", "graph", "model"}},
    // Neither a sequence nor a tokenizer.
    {"cpu", {"base", "gguf", "quant", "graph"}},
    {"gpu", {"base", "gguf", "quant", "graph", "sample"}},
    {"runtime", {"base", "gguf", "text", "quant", "graph", "model", "kv", "sample"}},
    {"api", {"base", "gguf", "text", "quant", "graph", "model", "kv", "sample", "cpu", "gpu", "runtime"}},
};

// What a line includes, if it is ours: "kv" of `#include "kv/layout.h"`.
std::string included_part(const std::string& line) {
  constexpr std::string_view kInclude = "#include \"";
  if (!line.starts_with(kInclude)) return {};
  const std::size_t slash = line.find('/', kInclude.size());
  return slash == std::string::npos ? std::string() : line.substr(kInclude.size(), slash - kInclude.size());
}

// Tests and their helpers may look at anything.
bool is_test(const fs::path& file) {
  const std::string stem = file.stem().string();
  return stem.ends_with("_test") || stem.ends_with("_testing");
}

TEST(Layering, NoPartOfTheEngineIncludesWhatStandsBelowIt) {
  const fs::path engine = fs::path(WISP_SOURCE_DIR) / "engine";
  std::size_t lines = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(engine)) {
    const std::string extension = entry.path().extension().string();
    if ((extension != ".h" && extension != ".cpp" && extension != ".inc") || is_test(entry.path())) continue;
    const std::string part = entry.path().lexically_relative(engine).begin()->string();
    const auto allowed = kMayInclude.find(part);
    ASSERT_NE(allowed, kMayInclude.end()) << "engine/" << part << " has no place in the house";
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      const std::string included = included_part(line);
      if (included.empty() || included == part) continue;
      ++lines;
      EXPECT_TRUE(allowed->second.contains(included)) << entry.path().string() << ": " << line;
    }
  }
  EXPECT_GT(lines, 100u);
}

// Kernel files see the kernels' own headers and nothing that is compiled elsewhere too.
// Two types of one name in one namespace are two definitions of the same functions: the linker takes either, and the
// program reads past the smaller one.
TEST(Layering, NoTwoHeadersDefineTheSameType) {
  std::map<std::string, std::string> headers;  // by namespace and name
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(fs::path(WISP_SOURCE_DIR) / "engine")) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    std::string inside;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("namespace ") && line.ends_with(" {")) inside = line.substr(10, line.size() - 12);
      for (const std::string_view kind : {"struct ", "class ", "enum class "}) {
        // A part of another type has its name in it already.
        if (!line.starts_with(kind) || !line.ends_with("{") || line.find("::State") != std::string::npos) continue;
        const std::string name = line.substr(kind.size(), line.find_first_of(" :{", kind.size()) - kind.size());
        const auto [known, first] = headers.try_emplace(inside + "::" + name, entry.path().string());
        EXPECT_TRUE(first) << known->first << " is defined in " << known->second << " and in " << entry.path();
      }
    }
  }
  EXPECT_GT(headers.size(), 200u);
}

TEST(Layering, KernelFilesIncludeOnlyTheTableAndEachOther) {
  const fs::path isa = fs::path(WISP_SOURCE_DIR) / "engine/cpu/isa";
  std::size_t lines = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(isa)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("#include \"")) continue;
      ++lines;
      const bool own = line.starts_with("#include \"cpu/isa/") || line == "#include \"cpu/kernels.h\"" ||
                       line == "#include \"cpu/panel_layout.h\"";
      EXPECT_TRUE(own) << entry.path().string() << ": " << line;
    }
  }
  EXPECT_GT(lines, 5u);
}

}  // namespace
}  // namespace wisp
