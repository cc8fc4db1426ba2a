#include "api/session.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/checked.h"
#include "cpu/executor.h"
#include "gguf/reader.h"
#include "gpu/executor.h"
#include "model/model.h"

namespace wisp::api {
namespace {

// A StreamSource keeps what it is fed in vectors, which cannot report a refusal: ask first. It may join a piece to its
// neighbour, which takes the room of both for a moment.
constexpr std::size_t kJoinRoom = std::size_t{4} << 20;

bool has_room_for(std::size_t bytes) {
  if (bytes > SIZE_MAX - kJoinRoom) return false;
  void* probe = std::malloc(bytes + kJoinRoom);
  std::free(probe);
  return probe != nullptr;
}

}  // namespace

Session::Session(std::uint64_t file_bytes, std::unique_ptr<ThreadPool> pool) : pool_(std::move(pool)) {
  auto source = std::make_unique<gguf::StreamSource>(file_bytes, "the model");
  source_ = source.get();
  waiting_ = std::move(source);
}

Result<std::unique_ptr<Session>> Session::create(std::uint64_t file_bytes, int threads) {
  WISP_TRY(std::unique_ptr<ThreadPool> pool, ThreadPool::create(threads));
  return std::unique_ptr<Session>(new Session(file_bytes, std::move(pool)));
}

Status Session::feed(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (waiting_ == nullptr)
    return fail(Code::invalid_argument, "load() has taken the model's bytes; no more can be fed");
  if (!has_room_for(bytes.size())) {
    return fail(Code::out_of_memory, "no memory for {} more of the model ({} are here)", format_bytes(bytes.size()),
                format_bytes(source_->buffered_bytes()));
  }
  return source_->feed(offset, bytes);
}

// The executor asks for its first device at once, and for another one after a loss.
Result<std::unique_ptr<graph::Executor>> Session::make_executor(LoadOptions& options) {
  if (options.device == nullptr) {
    return cpu::make_cpu_executor({.threads = pool_->threads(), .isa = {}, .repack = true, .pool = pool_.get()});
  }
  spare_ = std::make_shared<Spare>();
  spare_->device = std::move(options.device);
  gpu::GpuOptions gpu;
  gpu.make_device = [spare = spare_]() -> Result<std::unique_ptr<gpu::Device>> {
    spare->wanted = spare->device == nullptr;
    return std::move(spare->device);
  };
  gpu.storage = storage_;
  return gpu::make_gpu_executor(std::move(gpu));
}

Status Session::give_device(std::unique_ptr<gpu::Device> device) {
  if (!wants_device()) return fail(Code::invalid_argument, "no device was lost, so none is wanted");
  spare_->device = std::move(device);
  spare_->wanted = false;
  return {};
}

Status Session::load(LoadOptions options) {
  if (waiting_ == nullptr) return fail(Code::invalid_argument, "a session loads one model, once");
  if (source_->buffered_bytes() != source_->size()) {
    return fail(Code::need_more_data, "{} of the model's {} bytes were fed", source_->buffered_bytes(),
                source_->size());
  }
  WISP_TRY(gguf::File file, gguf::read_file(waiting_));
  gguf::StreamSource* source = std::exchange(source_, nullptr);
  WISP_CHECK(model::check_architecture(file.metadata));
  WISP_TRY(text::Vocabulary vocabulary, text::read_vocabulary(file.metadata));
  WISP_TRY(tokenizer_, text::Tokenizer::create(std::move(vocabulary)));
  WISP_TRY(std::unique_ptr<graph::Executor> executor, make_executor(options));
  runtime::EngineOptions engine;
  engine.context.context = options.context;
  engine.kv_type = options.kv;
  engine.max_sequences = 1;
  engine.prompt_chunk = options.prompt_chunk;
  // Plans of more rows than any step has would only take memory, and kernels to compile.
  if (options.prompt_chunk != 0) engine.row_budget = std::min(engine.row_budget, options.prompt_chunk);
  engine.prefix_cache = false;
  engine.steps_ahead = options.steps_ahead;
  engine.tokenizer = tokenizer_.get();
  WISP_TRY(engine_, runtime::Engine::create(std::move(file), std::move(engine), std::move(executor)));
  source_ = source;
  if (spare_ == nullptr) source_->discard_before(source_->size());
  return {};
}

std::uint64_t Session::bytes_read() const { return source_ == nullptr ? 0 : source_->bytes_read(); }

std::uint32_t Session::vocabulary() const { return engine_ == nullptr ? 0 : engine_->vocabulary(); }

Status Session::loaded() const {
  if (engine_ == nullptr) return fail(Code::invalid_argument, "no model is loaded yet");
  return {};
}

Result<std::vector<TokenId>> Session::tokenize(std::string_view text, text::EncodeOptions options) const {
  WISP_CHECK(loaded());
  return tokenizer_->encode(text, options);
}

Result<std::string> Session::detokenize(const std::vector<TokenId>& ids) const {
  WISP_CHECK(loaded());
  return tokenizer_->decode(ids);
}

Status Session::begin(Prompt prompt) {
  WISP_CHECK(loaded());
  if (running_) WISP_CHECK(engine_->cancel(id_));
  tokens_.clear();
  text_.clear();
  failure_ = {};
  logits_kept_ = 0;
  logits_from_ = prompt.logits_from;
  logits_ = Buffer();

  runtime::Request request;
  if (logits_from_ != kNoLogits) {
    // The last token that is generated is never fed back, so it has no logits of its own.
    const std::uint64_t positions = std::min<std::uint64_t>(
        std::uint64_t{prompt.ids.size()} + std::max(prompt.max_new_tokens, 1u) - 1, engine_->max_positions());
    const std::uint64_t rows = positions > logits_from_ ? positions - logits_from_ : 0;
    WISP_TRY(logits_, Buffer::allocate(rows * vocabulary() * sizeof(float), "the logits that were asked for"));
    request.logits_from = logits_from_;
    request.token_logits = true;
    request.on_logits = [this](std::uint32_t position, std::span<const float> row) { keep_logits(position, row); };
  }
  const std::uint32_t prompt_tokens = static_cast<std::uint32_t>(prompt.ids.size());
  request.prompt = std::move(prompt.ids);
  request.sampling.temperature = 0;
  request.max_new_tokens = prompt.max_new_tokens;
  request.ignore_end = prompt.ignore_end;
  request.on_token = [this, prompt_tokens](const runtime::TokenEvent& event) {
    // The first token was chosen from the last position of the prompt, which on_logits has told already.
    if (event.position > prompt_tokens) keep_logits(event.position - 1, event.logits);
    tokens_.push_back(event.token);
    text_ += event.text;
  };
  request.on_finish = [this](const runtime::FinishEvent& event) {
    text_ += event.text;
    failure_ = event.error;
    running_ = false;
  };
  WISP_TRY(id_, engine_->submit(std::move(request)));
  running_ = true;
  return {};
}

Result<Progress> Session::step() {
  WISP_CHECK(loaded());
  if (running_) {
    WISP_TRY(const bool worked, engine_->step());
    if (!worked && running_) return fail(Code::internal, "the engine stopped before the request was finished");
  }
  if (!failure_.message.empty()) return std::unexpected(failure_);
  if (!running_) return Progress::finished;
  return engine_->must_wait() ? Progress::waits : Progress::more;
}

graph::StartCost Session::start_cost() const {
  return engine_ == nullptr ? graph::StartCost() : engine_->executor().start_cost();
}

void Session::keep_logits(std::uint32_t position, std::span<const float> logits) {
  const std::span<float> room = logits_.as<float>().subspan(logits_kept_);
  if (position < logits_from_ || room.size() < logits.size()) return;
  std::ranges::copy(logits, room.begin());
  logits_kept_ += logits.size();
}

std::span<const float> Session::logits() const { return logits_.as<float>().first(logits_kept_); }

}  // namespace wisp::api
