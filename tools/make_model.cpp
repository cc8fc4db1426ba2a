// wisp-make-model: writes llama models of any size with random weights, for timing and for tests that need a shape or a
// size.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "tools/random_model.h"

namespace {

using namespace wisp;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Status write_file(const tools::ModelShape& shape, const std::string& path, tools::Part part) {
  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return fail(Code::io, "cannot create {}", printable(path, 400));
  std::uint64_t written = 0;
  const gguf::ByteSink sink = [&](std::span<const std::byte> bytes) -> Status {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) {
      return fail(Code::io, "cannot write {} after {}", printable(path, 400), format_bytes(written));
    }
    written += bytes.size();
    return {};
  };
  const auto progress = [](double share) { std::fprintf(stderr, "\r%3.0f %%", share * 100); };
  WISP_CHECK(tools::write_random_model(shape, sink, progress, part));
  if (std::fflush(file.get()) != 0) return fail(Code::io, "cannot finish {}", printable(path, 400));
  std::fprintf(stderr, "\r%s: %s\n", path.c_str(), format_bytes(written).c_str());
  return {};
}

// FILE.gguf, or FILE-00001-of-00003.gguf and so on.
Status write_parts(const tools::ModelShape& shape, const std::string& path, std::uint32_t parts) {
  if (parts == 1) return write_file(shape, path, {});
  constexpr std::string_view kEnd = ".gguf";
  const std::string stem = path.ends_with(kEnd) ? path.substr(0, path.size() - kEnd.size()) : path;
  for (std::uint32_t part = 0; part < parts; ++part) {
    WISP_CHECK(write_file(shape, fmt::format("{}-{:05}-of-{:05}.gguf", stem, part + 1, parts), {part, parts}));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes a llama model with random weights as GGUF.");
  std::string path;
  std::string preset_name;
  std::string arch = "llama";
  tools::ModelShape given;  // what the options say; a preset stands behind it
  app.add_option("FILE", path, "The file to write")->required();
  app.add_option("--arch", arch, "Architecture")->check(CLI::IsMember({"llama"}))->capture_default_str();
  app.add_option("--preset", preset_name, "Start from a known shape")->check(CLI::IsMember({"8b", "1b", "125m"}));

  struct Size {
    const char* option;
    const char* help;
    std::uint32_t tools::ModelShape::* field;
  };
  const Size sizes[] = {
      {"--layers", "Layers", &tools::ModelShape::layers},
      {"--d-model", "Width of the residual stream", &tools::ModelShape::d_model},
      {"--ff", "Width inside the feed-forward", &tools::ModelShape::d_ff},
      {"--heads", "Query heads", &tools::ModelShape::heads},
      {"--kv-heads", "Key and value heads", &tools::ModelShape::kv_heads},
      {"--head-dim", "Size of a head", &tools::ModelShape::head_dim},
      {"--vocab", "Tokens in the vocabulary", &tools::ModelShape::vocab},
      {"--context", "Context length", &tools::ModelShape::context},
  };
  for (const Size& size : sizes) app.add_option(size.option, given.*size.field, size.help)->capture_default_str();
  app.add_option("--type", given.type,
                 "F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K, or the mix Q4_K_M")
      ->capture_default_str();
  app.add_flag("--tied", given.tied, "Use the embedding as the output matrix");
  std::uint32_t parts = 1;
  app.add_option("--parts", parts, "Split the model: FILE-00001-of-00003.gguf and so on")
      ->check(CLI::Range(1, 99999))
      ->capture_default_str();
  app.add_option("--seed", given.seed, "Seed of the random weights")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  tools::ModelShape shape = given;
  if (!preset_name.empty()) {
    const auto known = tools::preset(preset_name);
    for (const Size& size : sizes) {
      if (app.count(size.option) == 0) shape.*size.field = (*known).*size.field;
    }
  }
  if (const Status status = write_parts(shape, path, parts); !status) {
    std::fprintf(stderr, "\nwisp-make-model: %s\n", status.error().message.c_str());
    return status.error().code == Code::invalid_argument ? 2 : 1;
  }
  return 0;
}
