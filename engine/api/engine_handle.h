// A wisp_engine: an engine with its model, whose callbacks become events in a queue.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/event.h"
#include "api/handle.h"
#include "api/opened_model.h"
#include "api/options.h"
#include "api/turn_lock.h"
#include "base/log.h"
#include "gpu/device/device.h"
#include "gpu/storage.h"
#include "runtime/engine.h"
#include "text/grammar/compile.h"

namespace wisp::api {

// A grammar that requests obey, compiled for the engine's vocabulary.
struct KnownGrammar {
  text::grammar::Notation notation;
  std::string source;
  std::shared_ptr<text::grammar::CompiledGrammar> compiled;
};

// The same for answers of chats: calls of tools, and what else is said.
struct KnownAnswer {
  std::string chat, prompt_end;                     // without the messages
  std::optional<text::grammar::Notation> notation;  // of the form
  std::string form;
  std::optional<text::CompiledAnswer> compiled;
};

// Texts at which DRY's repetitions end, as the engine's vocabulary spells them.
using KnownBreakers = std::map<std::string, std::vector<std::vector<TokenId>>, std::less<>>;

// The next device of an engine, on its way from a page.
struct DeviceSlot {
  std::unique_ptr<gpu::Device> device;
  bool wanted = false;
};

}  // namespace wisp::api

// Members below use those above until they are destroyed.
struct wisp_engine : wisp::api::Tagged<wisp::api::Tag::engine> {
  std::shared_ptr<const wisp::api::OpenedModel> model;
  std::shared_ptr<const wisp::api::OpenedModel> draft_model;  // of the engine that guesses for this one
  wisp::api::LogCallback log;
  wisp::LogTarget log_target;
  wisp::api::TurnLock turn;
  std::deque<wisp::api::Event> events;
  std::size_t event_bytes = 0;
  std::size_t most_event_bytes = 0;
  bool runs_by_itself = false;                  // on a device
  std::list<wisp::api::KnownGrammar> grammars;  // latest first
  std::list<wisp::api::KnownAnswer> answers;    // latest first
  wisp::api::KnownBreakers breakers;
  std::shared_ptr<wisp::api::DeviceSlot> slot;        // of a page's device
  std::shared_ptr<wisp::gpu::MemoryStorage> storage;  // of a device
  std::unique_ptr<wisp::runtime::Engine> engine;      // nullptr: loading has failed, or it guesses for another one
  wisp::Error failure;                                // then: why

  void push(wisp::api::Event event);
  // The oldest event, or none.
  wisp::api::Event take();
};

namespace wisp::api {

// Without its weights.
Result<std::unique_ptr<wisp_engine>> begin_engine(const wisp_model* model, const wisp_options* options);
// With them.
Result<std::unique_ptr<wisp_engine>> make_engine(const wisp_model* model, const wisp_options* options);

// Queues a request, or forks `parent` by it, and gives its number. The caller has its turn.
Result<std::uint64_t> submit(wisp_engine& engine, const wisp_request* asked, std::optional<std::uint64_t> parent);

// Calls body(), which gives a Result or a Status, once it is the caller's turn with the engine, whose weights may still
// be on their way.
template <class Body>
std::invoke_result_t<Body> with_loading(const wisp_engine* handle, Body&& body) {
  auto* const engine = const_cast<wisp_engine*>(handle);
  WISP_CHECK(check(engine, "the engine"));
  if (engine->turn.is_mine()) return fail(Code::invalid_argument, "a callback called the engine that calls it");
  const Turn turn(engine->turn);
  const LogScope scope(engine->log_target);
  if (engine->engine == nullptr) return std::unexpected(engine->failure);
  return body();
}

// The same, with all weights there.
template <class Body>
std::invoke_result_t<Body> with_turn(const wisp_engine* handle, Body&& body) {
  return with_loading(handle, [&]() -> std::invoke_result_t<Body> {
    if (!handle->engine->is_loaded()) {
      return fail(Code::invalid_argument, "the engine is still loading: wisp_engine_load() until it is done");
    }
    return body();
  });
}

}  // namespace wisp::api
