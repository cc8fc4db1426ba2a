// A trace in Chrome's trace event format, which Perfetto and chrome://tracing open: steps and ops as slices of one
// process, each request as a track of another. Written as it happens, through a sink; nothing is kept.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "runtime/request.h"

namespace wisp::runtime {

// Takes the next bytes of the file.
using TraceSink = std::function<void(std::string_view bytes)>;

class Trace {
 public:
  // `origin_ns` becomes time 0.
  Trace(TraceSink sink, std::uint64_t origin_ns);
  // Closes the JSON array.
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  void step(std::uint64_t number, std::uint32_t rows, std::uint32_t sequences, std::uint64_t begin, std::uint64_t end);
  void op(std::string_view name, int layer, std::uint64_t begin, std::uint64_t end);
  void sampling(std::uint64_t begin, std::uint64_t end);
  // A stretch of a request's life: "queued", "prompt", "generate", "preempted".
  void request(RequestId id, std::string_view phase, std::uint64_t begin, std::uint64_t end);
  // Values over time, drawn as a graph.
  void queue(std::uint64_t now, std::uint32_t running, std::uint32_t waiting, std::uint32_t kv_blocks_used);

 private:
  void begin_event();
  void slice(int process, std::uint64_t track, std::string_view name, std::uint64_t begin, std::uint64_t end,
             std::string_view arguments);
  void name_process(int process, std::string_view name);

  TraceSink sink_;
  std::uint64_t origin_ns_;
  std::string line_;  // reused
  bool first_ = true;
};

}  // namespace wisp::runtime
