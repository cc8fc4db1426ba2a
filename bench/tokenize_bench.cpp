// Megabytes of text a second through encode(), on one core.
//   tokenize_bench TEXT_FILE MODEL.gguf... [--benchmark_... options]
#include <benchmark/benchmark.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "gguf/reader.h"
#include "text/tokenizer.h"

namespace {

void encode(benchmark::State& state, const wisp::text::Tokenizer& tokenizer, const std::string& text) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    const auto ids = tokenizer.encode(text, {});
    if (!ids) return state.SkipWithError(ids.error().message.c_str());
    tokens = ids->size();
    benchmark::DoNotOptimize(ids->data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["bytes_per_token"] = static_cast<double>(text.size()) / static_cast<double>(tokens);
}

// What it costs to make a tokenizer from a vocabulary that is already in memory.
void create(benchmark::State& state, const wisp::text::Vocabulary& vocabulary) {
  for (auto _ : state) {
    auto tokenizer = wisp::text::Tokenizer::create(vocabulary);
    benchmark::DoNotOptimize(tokenizer);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s TEXT_FILE MODEL.gguf...\n", argv[0]);
    return 2;
  }
  std::stringstream text;
  text << std::ifstream(argv[1], std::ios::binary).rdbuf();
  const std::string bytes = text.str();
  std::vector<std::unique_ptr<wisp::text::Tokenizer>> tokenizers;
  for (int i = 2; i < argc; ++i) {
    const auto file = wisp::gguf::open_model(argv[i]);
    auto vocabulary = file ? wisp::text::read_vocabulary(file->metadata) : std::unexpected(file.error());
    auto tokenizer =
        vocabulary ? wisp::text::Tokenizer::create(std::move(*vocabulary)) : std::unexpected(vocabulary.error());
    if (!tokenizer) {
      std::fprintf(stderr, "%s: %s\n", argv[i], tokenizer.error().message.c_str());
      return 1;
    }
    tokenizers.push_back(std::move(*tokenizer));
    const wisp::text::Tokenizer& made = *tokenizers.back();
    const std::string name = std::string(argv[i]).substr(std::string(argv[i]).rfind('/') + 1);
    benchmark::RegisterBenchmark(("encode/" + name).c_str(),
                                 [&](benchmark::State& state) { encode(state, made, bytes); });
    benchmark::RegisterBenchmark(("create/" + name).c_str(),
                                 [&](benchmark::State& state) { create(state, made.vocabulary()); });
  }
  benchmark::RunSpecifiedBenchmarks();
}
