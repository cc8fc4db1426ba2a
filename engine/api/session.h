// One model and one request at a time, behind values that cross a C interface easily: what the WebAssembly exports
// stand on (wasm_exports.cpp). A host that serves many uses runtime::Engine itself.
//
// The file arrives in pieces, in any order; nothing is loaded before all of it is there. Its pieces are dropped once
// the weights have been packed, on a GPU only with the session: after a loss they are packed again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "base/token.h"
#include "gguf/byte_source.h"
#include "gpu/device/device.h"
#include "gpu/storage.h"
#include "graph/graph.h"
#include "runtime/engine.h"
#include "text/tokenizer.h"

namespace wisp::api {

struct LoadOptions {
  std::uint32_t context = 0;  // positions; 0: min(trained context, 4096)
  graph::KvType kv = graph::KvType::f16;
  std::uint32_t prompt_chunk = 0;                 // positions of the prompt a step; 0: as many as a step takes
  std::unique_ptr<gpu::Device> device = nullptr;  // nullptr: the CPU
  std::uint32_t steps_ahead = 4;                  // that may be in flight on a device
};

enum class Progress : std::uint8_t {
  finished,
  more,   // there is more to do at once
  waits,  // for the device: nothing happens before it has answered
};

inline constexpr std::uint32_t kNoLogits = 0xFFFFFFFFu;

struct Prompt {
  std::vector<TokenId> ids = {};
  std::uint32_t max_new_tokens = 0;
  bool ignore_end = false;  // end tokens are tokens like any other
  // Logits are kept of this position and all that follow, generated ones too.
  std::uint32_t logits_from = kNoLogits;
};
class Session {
 public:
  // `threads` counts the caller. In wasm the page starts the others, each in pool().run_worker(), before load(), and
  // stops them after the session is gone.
  static Result<std::unique_ptr<Session>> create(std::uint64_t file_bytes, int threads);

  [[nodiscard]] ThreadPool& pool() { return *pool_; }
  Status feed(std::uint64_t offset, std::span<const std::byte> bytes);
  // Code::need_more_data while bytes are missing, which changes nothing. After another failure the session is of no
  // use.
  Status load(LoadOptions options);
  [[nodiscard]] std::uint64_t bytes_read() const;  // by the loaded model, of the file
  [[nodiscard]] std::uint32_t vocabulary() const;  // rows of the output matrix; 0 before load()

  [[nodiscard]] Result<std::vector<TokenId>> tokenize(std::string_view text, text::EncodeOptions options) const;
  // The exact bytes, special tokens shown.
  [[nodiscard]] Result<std::string> detokenize(const std::vector<TokenId>& ids) const;

  // Drops the request before it and starts another, greedy.
  Status begin(Prompt prompt);
  // One step of the engine; an error is the request's. A device that cannot be waited for is compiling, or computes.
  Result<Progress> step();
  [[nodiscard]] std::span<const TokenId> tokens() const { return tokens_; }  // generated so far
  [[nodiscard]] std::string_view text() const { return text_; }              // of these, in whole characters
  [[nodiscard]] std::span<const float> logits() const;                       // [positions so far, vocabulary]

  // The device was lost, and the request goes on once give_device() has brought another.
  [[nodiscard]] bool wants_device() const { return spare_ != nullptr && spare_->wanted; }
  Status give_device(std::unique_ptr<gpu::Device> device);

  // What is kept about devices from visit to visit: the host puts what it has before load(), and saves what was
  // written.
  [[nodiscard]] gpu::MemoryStorage& storage() { return *storage_; }
  [[nodiscard]] graph::StartCost start_cost() const;

 private:
  // The next device, on its way from the host to the executor.
  struct Spare {
    std::unique_ptr<gpu::Device> device;
    bool wanted = false;
  };
  Result<std::unique_ptr<graph::Executor>> make_executor(LoadOptions& options);
  Session(std::uint64_t file_bytes, std::unique_ptr<ThreadPool> pool);
  [[nodiscard]] Status loaded() const;
  void keep_logits(std::uint32_t position, std::span<const float> logits);

  std::unique_ptr<ThreadPool> pool_;
  gguf::StreamSource* source_;                 // waiting_, or the engine's own
  std::unique_ptr<gguf::ByteSource> waiting_;  // until load()
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::shared_ptr<Spare> spare_;  // nullptr on the CPU
  std::shared_ptr<gpu::MemoryStorage> storage_ = std::make_shared<gpu::MemoryStorage>();
  std::unique_ptr<runtime::Engine> engine_;

  // The request.
  runtime::RequestId id_ = {};
  bool running_ = false;
  Error failure_;  // its message is empty unless the request failed
  std::vector<TokenId> tokens_;
  std::string text_;
  std::uint32_t logits_from_ = kNoLogits;
  std::size_t logits_kept_ = 0;  // floats
  Buffer logits_;
};

}  // namespace wisp::api
