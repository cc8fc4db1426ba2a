// Checks that run inside the WebAssembly module, called by web/harness/*.mjs: what JavaScript cannot see from outside.
#include <cstdint>
#include <memory>
#include <string>

#include "api/wasm_export.h"
#include "base/thread_pool.h"
#include "text/chat_template.h"

namespace {

std::string repeat(const char* text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

// Templates that nest `depth` deep, each in another part of the interpreter.
std::string nested_template(int kind, int depth) {
  switch (kind) {
    case 0: return "{{ " + repeat("(", depth) + "1" + repeat(")", depth) + " }}";
    case 1: return "{{ " + repeat("[", depth) + repeat("]", depth) + " }}";
    case 2: return repeat("{% if true %}", depth) + repeat("{% endif %}", depth);
    case 3: return repeat("{% for x in [1] %}", depth) + repeat("{% endfor %}", depth);
    default:
      return "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(" + std::to_string(depth) +
             ") }}";
  }
}

}  // namespace

// A pool whose workers the page starts: each calls check_pool_worker() with its index. 0 where it was refused.
WISP_EXPORT(check_pool_create) wisp::ThreadPool* check_pool_create(int threads) {
  auto pool = wisp::ThreadPool::create(threads);
  return pool ? pool->release() : nullptr;
}
WISP_EXPORT(check_pool_destroy) void check_pool_destroy(wisp::ThreadPool* pool) { delete pool; }
WISP_EXPORT(check_pool_worker) void check_pool_worker(wisp::ThreadPool* pool, int worker) { pool->run_worker(worker); }

// Runs `jobs` jobs of `tasks` tasks; each adds its index to counts[worker], and its count of one to ran[task], both in
// the page's memory. Nothing is atomic: the pool alone keeps two workers from one task, and the caller from reading
// early.
WISP_EXPORT(check_pool_sum)
void check_pool_sum(wisp::ThreadPool* pool, int jobs, int tasks, double* sums, std::uint32_t* ran) {
  for (int job = 0; job < jobs; ++job) {
    pool->parallel_for(tasks, [&](std::int64_t task, int worker) {
      sums[worker] += static_cast<double>(task);
      ++ran[task];
    });
  }
}

// Renders a template of that nesting: 0, or 1 + wisp::Code of the refusal. The stack of a module is small and fixed.
WISP_EXPORT(check_template) int check_template(int kind, int depth) {
  const auto parsed = wisp::text::ChatTemplate::parse(nested_template(kind, depth));
  if (!parsed) return 1 + static_cast<int>(parsed.error().code);
  const auto text = parsed->render_chat({}, false, "", "", 0);
  return text ? 0 : 1 + static_cast<int>(text.error().code);
}
