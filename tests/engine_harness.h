// Engines for tests, and what one request of them gave.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine.h"
#include "tests/fake_device.h"
#include "tests/fake_executor.h"

namespace wisp::test {

// All that a request was told.
struct Heard {
  std::vector<TokenId> tokens;
  std::vector<std::vector<float>> logits;  // of each token
  std::vector<std::vector<float>> scores;  // of each prompt position that was scored
  std::string text;
  int finishes = 0;
  runtime::FinishReason reason = runtime::FinishReason::error;
  Error error;
  runtime::RequestStats stats;
};

// Makes `request` tell `heard`, which must outlive it; without logits, which a device would have to send.
inline runtime::Request hear_tokens(runtime::Request request, Heard& heard) {
  request.on_token = [&heard](const runtime::TokenEvent& event) {
    heard.tokens.push_back(event.token);
    heard.text += event.text;
    if (!event.logits.empty()) heard.logits.emplace_back(event.logits.begin(), event.logits.end());
  };
  request.on_finish = [&heard](const runtime::FinishEvent& event) {
    heard.finishes += 1;
    heard.reason = event.reason;
    heard.error = event.error;
    heard.stats = event.stats;
    heard.text += event.text;
  };
  return request;
}
inline runtime::Request listen(runtime::Request request, Heard& heard) {
  request.token_logits = true;
  return hear_tokens(std::move(request), heard);
}
inline runtime::Request listen_to_scores(runtime::Request request, Heard& heard) {
  request.on_logits = [&heard](std::uint32_t, std::span<const float> logits) {
    heard.scores.emplace_back(logits.begin(), logits.end());
  };
  return listen(std::move(request), heard);
}

// Equal bit for bit: NaN equals itself, -0 is not 0.
inline bool same_bits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size() || std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

template <class T>
T expect_value(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

// An engine over the fake, and the handles to look into it.
struct FakeEngine {
  FakeModel model;
  std::shared_ptr<FakeControls> controls = std::make_shared<FakeControls>();
  std::unique_ptr<runtime::Engine> engine;

  FakeEngine(FakeModel fake, std::uint32_t context, runtime::EngineOptions options) : model(std::move(fake)) {
    options.clock = fake_clock;
    engine = expect_value(runtime::Engine::create(gguf::File{}, model.graph(), context, std::move(options),
                                                  std::make_unique<FakeExecutor>(model, controls)));
  }
  runtime::Engine* operator->() const { return engine.get(); }
};

// The same over a device that runs by itself.
struct DeviceEngine {
  FakeModel model;
  std::shared_ptr<FakeControls> controls = std::make_shared<FakeControls>();
  std::shared_ptr<DeviceControls> device;
  std::unique_ptr<runtime::Engine> engine;

  DeviceEngine(FakeModel fake, std::uint32_t context, runtime::EngineOptions options, DeviceControls script = {})
      : model(std::move(fake)), device(std::make_shared<DeviceControls>(std::move(script))) {
    options.clock = fake_clock;
    engine = expect_value(runtime::Engine::create(gguf::File{}, model.graph(), context, std::move(options),
                                                  std::make_unique<FakeDevice>(model, controls, device)));
  }
  runtime::Engine* operator->() const { return engine.get(); }
};

inline FakeModel full_attention_fake() { return FakeModel(50, {graph::KvGroup{}}); }
// Like gemma: some layers see all, some a window; and like an imposed window, some keep sinks.
inline FakeModel mixed_fake() {
  return FakeModel(
      50, {graph::KvGroup{}, graph::KvGroup{.window = 40, .sinks = 0}, graph::KvGroup{.window = 70, .sinks = 5}});
}
inline FakeModel windowed_fake(std::uint32_t window, std::uint32_t sinks) {
  return FakeModel(50, {graph::KvGroup{.window = window, .sinks = sinks}});
}

inline std::vector<TokenId> random_tokens(std::size_t n, std::uint32_t seed, std::uint32_t vocabulary = 50) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens;
  while (tokens.size() < n) tokens.push_back(static_cast<TokenId>(random() % vocabulary));
  return tokens;
}

inline sample::SamplingParams greedy() {
  sample::SamplingParams params;
  params.temperature = 0;
  return params;
}

}  // namespace wisp::test
