// What a page or worker calls: plain C functions over 32-bit pointers into the module's memory. JavaScript reads and
// writes what they point at; web/harness/model.mjs shows every call. One session holds one model; there is no global
// state, and any number of sessions may live in one memory. Allocation has no lock in this C library: one thread calls
// all of this but wisp_run_worker().
//
// A function that can fail returns 0 or more when it did not, and -1 - wisp::Code when it did; the sentence that says
// why is the session's result then. Results (text, ids, logits) stay where they are until the next call on the session.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/session.h"
#include "api/wasm_export.h"
#include "gpu/js/js_device.h"

using wisp::Result;
using wisp::Status;
using wisp::TokenId;

// What the handle in JavaScript's hands points at.
struct wisp_session {
  std::unique_ptr<wisp::api::Session> session;
  std::vector<TokenId> ids;  // of the last wisp_tokenize()
  std::string text;          // of the last wisp_detokenize(), or the message of a failure
  const void* result = nullptr;
  std::size_t result_bytes = 0;
};

namespace {

constexpr std::uint32_t kAbiVersion = 3;

std::int32_t give(wisp_session* handle, const void* data, std::size_t bytes) {
  handle->result = data;
  handle->result_bytes = bytes;
  return 0;
}

std::int32_t give_error(wisp_session* handle, const wisp::Error& error) {
  handle->text = error.message;
  give(handle, handle->text.data(), handle->text.size());
  return -1 - static_cast<std::int32_t>(error.code);
}

std::int32_t finish(wisp_session* handle, const Status& status) {
  return status ? give(handle, nullptr, 0) : give_error(handle, status.error());
}

}  // namespace

// Rises when a function changes its meaning; the loader refuses a module that it was not made for.
WISP_EXPORT(wisp_abi_version) std::uint32_t wisp_abi_version() { return kAbiVersion; }

// ---- a session ----

// For a model file of that size; `threads` counts the caller. 0: more threads than this module can have, or no memory.
WISP_EXPORT(wisp_create) wisp_session* wisp_create(std::uint64_t file_bytes, std::int32_t threads) {
  auto session = wisp::api::Session::create(file_bytes, threads);
  return session ? new (std::nothrow) wisp_session{std::move(*session), {}, {}} : nullptr;
}

// Waits for the workers to leave wisp_run_worker(); they may be terminated afterwards.
WISP_EXPORT(wisp_destroy) void wisp_destroy(wisp_session* handle) { delete handle; }

// The life of worker 1..threads-1, each on a thread of its own. All of them must have been started before wisp_load().
WISP_EXPORT(wisp_run_worker) void wisp_run_worker(wisp_session* handle, std::int32_t worker) {
  handle->session->pool().run_worker(worker);
}

// The last result: pointer and bytes.
WISP_EXPORT(wisp_result) const void* wisp_result(const wisp_session* handle) { return handle->result; }
WISP_EXPORT(wisp_result_bytes) std::size_t wisp_result_bytes(const wisp_session* handle) {
  return handle->result_bytes;
}

// ---- loading ----

// A piece of the file, copied; in any order.
WISP_EXPORT(wisp_feed)
std::int32_t wisp_feed(wisp_session* handle, std::uint64_t offset, const std::byte* bytes, std::size_t count) {
  return finish(handle, handle->session->feed(offset, {bytes, count}));
}

// Once every byte was fed. `context` 0: the model's own, at most 4096. `kv_type` is graph::KvType: f32, f16, q8_0.
// `prompt_chunk` is how many positions of a prompt a step computes, 0: as many as it takes. `device`, of
// wisp_gpu_create(), is taken, also by a failure; 0: the CPU.
WISP_EXPORT(wisp_load)
std::int32_t wisp_load(wisp_session* handle, std::uint32_t context, std::uint32_t kv_type, std::uint32_t prompt_chunk,
                       wisp::gpu::JsDevice* device) {
  wisp::api::LoadOptions options{.context = context, .prompt_chunk = prompt_chunk};
  options.device.reset(device);
  if (kv_type > static_cast<std::uint32_t>(wisp::graph::KvType::q8_0)) {
    return finish(handle, wisp::fail(wisp::Code::invalid_argument, "KV type {} is none of 0, 1, 2", kv_type));
  }
  options.kv = static_cast<wisp::graph::KvType>(kv_type);
  return finish(handle, handle->session->load(std::move(options)));
}

// What was kept about devices by an earlier visit, before wisp_load(): texts under names.
WISP_EXPORT(wisp_put_text)
void wisp_put_text(wisp_session* handle, const char* name, std::size_t name_bytes, const char* text,
                   std::size_t bytes) {
  handle->session->storage().texts()[std::string(name, name_bytes)] = std::string(text, bytes);
}
// What is to be kept for the next one. 1, result: a name, a line's end, and the text, of one that was written since; 0:
// there is no more.
WISP_EXPORT(wisp_take_text) std::int32_t wisp_take_text(wisp_session* handle) {
  wisp::gpu::MemoryStorage& storage = handle->session->storage();
  const std::optional<std::string> name = storage.take_written();
  if (!name) return give(handle, nullptr, 0);
  handle->text = *name + "\n" + storage.read(*name);
  give(handle, handle->text.data(), handle->text.size());
  return 1;
}
// Kernels that were known from an earlier visit, and compiled while the weights were packed.
WISP_EXPORT(wisp_known_kernels) std::uint32_t wisp_known_kernels(const wisp_session* handle) {
  return handle->session->start_cost().known_kernels;
}

// Bytes of the file that were read so far, and rows of the output matrix.
WISP_EXPORT(wisp_bytes_read) std::uint64_t wisp_bytes_read(const wisp_session* handle) {
  return handle->session->bytes_read();
}
WISP_EXPORT(wisp_vocabulary) std::uint32_t wisp_vocabulary(const wisp_session* handle) {
  return handle->session->vocabulary();
}

// ---- text ----

// Result: the ids, int32. `flags`: 1 adds the vocabulary's own special tokens, 2 reads the text of special tokens.
WISP_EXPORT(wisp_tokenize)
std::int32_t wisp_tokenize(wisp_session* handle, const char* text, std::size_t bytes, std::uint32_t flags) {
  Result<std::vector<TokenId>> ids = handle->session->tokenize({text, bytes}, {(flags & 1) != 0, (flags & 2) != 0});
  if (!ids) return give_error(handle, ids.error());
  handle->ids = std::move(*ids);
  return give(handle, handle->ids.data(), handle->ids.size() * sizeof(TokenId));
}

// Result: the exact bytes, special tokens shown.
WISP_EXPORT(wisp_detokenize)
std::int32_t wisp_detokenize(wisp_session* handle, const TokenId* ids, std::size_t count) {
  Result<std::string> text = handle->session->detokenize({ids, ids + count});
  if (!text) return give_error(handle, text.error());
  handle->text = std::move(*text);
  return give(handle, handle->text.data(), handle->text.size());
}

// ---- a request, one at a time ----

// Starts a greedy request, in place of the one before. `flags`: 1 passes over end tokens. Logits are kept of position
// `logits_from` and all behind it; 0xFFFFFFFF: of none.
WISP_EXPORT(wisp_begin)
std::int32_t wisp_begin(wisp_session* handle, const TokenId* ids, std::size_t count, std::uint32_t max_new_tokens,
                        std::uint32_t logits_from, std::uint32_t flags) {
  return finish(handle, handle->session->begin({{ids, ids + count}, max_new_tokens, (flags & 1) != 0, logits_from}));
}

// One step. 0: the request is finished; 1: there is more to do; 2: only after the device's next answer
// (GpuHost.onanswer of web/gpu/host.mjs).
WISP_EXPORT(wisp_step) std::int32_t wisp_step(wisp_session* handle) {
  const Result<wisp::api::Progress> progress = handle->session->step();
  if (!progress) return give_error(handle, progress.error());
  give(handle, nullptr, 0);
  return static_cast<std::int32_t>(*progress);
}

// 1: the device was lost, and the request goes on with the one that wisp_give_device() takes.
WISP_EXPORT(wisp_wants_device) std::int32_t wisp_wants_device(const wisp_session* handle) {
  return handle->session->wants_device() ? 1 : 0;
}
WISP_EXPORT(wisp_give_device)
std::int32_t wisp_give_device(wisp_session* handle, wisp::gpu::JsDevice* device) {
  return finish(handle, handle->session->give_device(std::unique_ptr<wisp::gpu::Device>(device)));
}

// Results: the generated ids so far (int32), their text (UTF-8, whole characters), the logits (float32 [positions,
// vocabulary]).
WISP_EXPORT(wisp_tokens) std::int32_t wisp_tokens(wisp_session* handle) {
  const std::span<const TokenId> ids = handle->session->tokens();
  return give(handle, ids.data(), ids.size_bytes());
}
WISP_EXPORT(wisp_text) std::int32_t wisp_text(wisp_session* handle) {
  const std::string_view text = handle->session->text();
  return give(handle, text.data(), text.size());
}
WISP_EXPORT(wisp_logits) std::int32_t wisp_logits(wisp_session* handle) {
  const std::span<const float> logits = handle->session->logits();
  return give(handle, logits.data(), logits.size_bytes());
}
