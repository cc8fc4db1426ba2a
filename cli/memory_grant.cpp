#include "memory_grant.h"

#include <algorithm>

#include "base/log.h"
#include "memory_estimate.h"
#include "system.h"

namespace wisp::cli {
namespace {

Status keep_limit(const MemoryEstimate& estimate, std::uint64_t limit) {
  const std::uint64_t granted = limit - limit / 10;
  if (estimate.total() <= granted) return {};
  return fail(
      Code::out_of_memory,
      "this takes {} ({} of it for keys and values) and --memory-limit allows {}, a tenth of {} staying free; a "
      "shorter --context or --kv q8_0 needs less (wisp fit shows how much)",
      format_bytes(estimate.total()), format_bytes(estimate.kv), format_bytes(granted), format_bytes(limit));
}

}  // namespace

Status grant_memory(const gguf::File& file, const ModelOptions& options, runtime::EngineOptions& engine) {
  if (options.device == Device::gpu) {  // its memory is its own; the engine asks it
    engine.memory_limit = options.memory_limit;
    return {};
  }
  if (options.device == Device::reference && options.memory_limit == 0) return {};  // its layouts are not estimated
  WISP_TRY(const MemoryEstimate estimate, estimate_memory(file, options, engine));
  if (options.memory_limit != 0) return keep_limit(estimate, options.memory_limit);

  const std::uint64_t available = system_memory().available;
  const std::uint64_t granted = available - available / 10;
  if (available == 0 || estimate.total() <= granted) return {};
  const std::uint64_t fixed = estimate.total() - estimate.kv;
  if (fixed >= granted) {
    return fail(Code::out_of_memory,
                "the model takes {} before any text, and {} of memory are available; --no-repack needs less (and is "
                "slow), --memory-limit SIZE overrules what the system says",
                format_bytes(fixed), format_bytes(available));
  }
  engine.kv_bytes = granted - fixed;
  log_warning("keys and values of {} positions may take {}; {} are available, and longer texts end early",
              options.window ? *options.window + options.sinks : estimate.context, format_bytes(estimate.kv),
              format_bytes(engine.kv_bytes));
  return {};
}

}  // namespace wisp::cli
