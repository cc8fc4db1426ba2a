// The functions of wisp.h that bring an engine's weights, a piece at a time.
#include <utility>

#include "api/buffer.h"
#include "api/engine_handle.h"

using wisp::Code;
using wisp::fail;
using wisp::Result;
using wisp::Status;

namespace wisp::api {
namespace {

wisp_load_state state_of(graph::LoadState state) {
  switch (state) {
    case graph::LoadState::done: return WISP_LOAD_DONE;
    case graph::LoadState::more: return WISP_LOAD_MORE;
    case graph::LoadState::waits: return WISP_LOAD_WAITS;
    case graph::LoadState::wants_data: return WISP_LOAD_WANTS_DATA;
  }
  return WISP_LOAD_MORE;
}

// What could not be loaded holds nothing from here on.
Result<wisp_load_state> load(wisp_engine& handle) {
  const bool is_first = !handle.engine->is_loaded();
  const Result<graph::LoadState> state = handle.engine->load_more();
  if (state) return state_of(*state);
  if (is_first) {
    handle.failure = state.error();
    handle.engine.reset();
  }
  return std::unexpected(state.error());
}

// Pairs of an offset through all parts and a count.
std::vector<std::uint64_t> wanted(const runtime::Engine& engine) {
  std::vector<std::uint64_t> begins = {0};
  for (const auto& source : engine.file().sources) begins.push_back(begins.back() + source->size());
  std::vector<std::uint64_t> pairs;
  if (engine.weight_stream() == nullptr) return pairs;
  for (const graph::FileRange& range : engine.weight_stream()->rest()) {
    pairs.push_back(begins[static_cast<std::size_t>(range.split)] + range.offset);
    pairs.push_back(range.bytes);
  }
  return pairs;
}

}  // namespace
}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_engine* wisp_engine_begin(const wisp_model* model, const wisp_options* options, wisp_error* error) {
  return answer_handle(error, [&] { return begin_engine(model, options); });
}

wisp_status wisp_engine_load(wisp_engine* engine, wisp_load_state* state, wisp_error* error) {
  return answer(error, [&] {
    return with_loading(engine, [&]() -> Status {
      WISP_TRY(const wisp_load_state now, load(*engine));
      if (state != nullptr) *state = now;
      return {};
    });
  });
}

wisp_status wisp_engine_wanted(wisp_engine* engine, wisp_buffer* out, wisp_error* error) {
  return answer(error, [&] {
    return with_loading(engine, [&]() -> Status {
      const std::vector<std::uint64_t> pairs = wanted(*engine->engine);
      return fill(out, std::as_bytes(std::span(pairs)));
    });
  });
}

wisp_status wisp_engine_load_progress(wisp_engine* engine, uint64_t* done, uint64_t* total, wisp_error* error) {
  return answer(error, [&] {
    return with_loading(engine, [&]() -> Status {
      if (done == nullptr || total == nullptr)
        return fail(Code::invalid_argument, "there is nowhere to put the progress");
      const wisp::graph::WeightStream* const stream = engine->engine->weight_stream();
      *done = stream == nullptr ? 0 : stream->bytes_done();
      *total = stream == nullptr ? 0 : stream->bytes_total();
      return {};
    });
  });
}

}  // extern "C"
