#include "runtime/trace.h"

#include <algorithm>
#include <iterator>

#include "base/format.h"

namespace wisp::runtime {
namespace {

constexpr int kEngineProcess = 1, kRequestsProcess = 2;
constexpr std::uint64_t kStepTrack = 1;

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
}

// The format counts in microseconds; three decimals keep nanoseconds.
struct Microseconds {
  std::uint64_t ns;
};

void append(std::string& out, Microseconds time) {
  fmt::format_to(std::back_inserter(out), "{}.{:03}", time.ns / 1000, time.ns % 1000);
}

}  // namespace

Trace::Trace(TraceSink sink, std::uint64_t origin_ns) : sink_(std::move(sink)), origin_ns_(origin_ns) {
  name_process(kEngineProcess, "engine");
  name_process(kRequestsProcess, "requests");
}

Trace::~Trace() { sink_("\n]\n"); }

void Trace::begin_event() {
  line_ = first_ ? "[\n" : ",\n";
  first_ = false;
}

void Trace::name_process(int process, std::string_view name) {
  begin_event();
  fmt::format_to(std::back_inserter(line_), R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":")", process);
  append_escaped(line_, name);
  line_ += "\"}}";
  sink_(line_);
}

void Trace::slice(int process, std::uint64_t track, std::string_view name, std::uint64_t begin, std::uint64_t end,
                  std::string_view arguments) {
  begin = std::max(begin, origin_ns_);  // what began before the trace did
  end = std::max(end, begin);
  begin_event();
  fmt::format_to(std::back_inserter(line_), R"({{"ph":"X","pid":{},"tid":{},"ts":)", process, track);
  append(line_, Microseconds{begin - origin_ns_});
  line_ += ",\"dur\":";
  append(line_, Microseconds{end - begin});
  line_ += ",\"name\":\"";
  append_escaped(line_, name);
  line_ += "\",\"args\":{";
  line_ += arguments;
  line_ += "}}";
  sink_(line_);
}

void Trace::step(std::uint64_t number, std::uint32_t rows, std::uint32_t sequences, std::uint64_t begin,
                 std::uint64_t end) {
  slice(kEngineProcess, kStepTrack, "step", begin, end,
        fmt::format(R"("number":{},"rows":{},"sequences":{})", number, rows, sequences));
}

void Trace::op(std::string_view name, int layer, std::uint64_t begin, std::uint64_t end) {
  slice(kEngineProcess, kStepTrack, name, begin, end, fmt::format(R"("layer":{})", layer));
}

void Trace::sampling(std::uint64_t begin, std::uint64_t end) {
  slice(kEngineProcess, kStepTrack, "sample", begin, end, {});
}

void Trace::request(RequestId id, std::string_view phase, std::uint64_t begin, std::uint64_t end) {
  slice(kRequestsProcess, static_cast<std::uint64_t>(id), phase, begin, end, {});
}

void Trace::queue(std::uint64_t now, std::uint32_t running, std::uint32_t waiting, std::uint32_t kv_blocks_used) {
  begin_event();
  fmt::format_to(std::back_inserter(line_), R"({{"ph":"C","pid":{},"name":"queue","ts":)", kEngineProcess);
  append(line_, Microseconds{std::max(now, origin_ns_) - origin_ns_});
  fmt::format_to(std::back_inserter(line_), R"(,"args":{{"running":{},"waiting":{},"kv blocks":{}}}}})", running,
                 waiting, kv_blocks_used);
  sink_(line_);
}

}  // namespace wisp::runtime
