#include "bench_run.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "cpu/repack.h"
#include "gguf/tensor_type.h"
#include "interrupt.h"
#include "runtime/kv_setup.h"

namespace wisp::cli {
namespace {

// Tokens that look like nothing in particular, never the same twice for another `salt`.
class TokenSource {
 public:
  TokenSource(std::uint32_t n_vocab, std::uint64_t salt) : n_vocab_(n_vocab), state_(salt * 0x9E3779B97F4A7C15u + 1) {}
  TokenId next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<TokenId>((state_ >> 33) % n_vocab_);
  }
  void append(std::vector<TokenId>& tokens, std::uint32_t n) {
    for (std::uint32_t i = 0; i < n; ++i) tokens.push_back(next());
  }

 private:
  std::uint64_t n_vocab_;
  std::uint64_t state_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Measurement {
 public:
  Measurement(runtime::Engine& engine, const BenchCase& one, const BenchLengths& lengths)
      : engine_(engine), case_(one), lengths_(lengths), fresh_(engine.vocabulary(), 1u << 20) {
    for (std::uint32_t i = 0; i < one.batch; ++i) {
      TokenSource source(engine.vocabulary(), i);
      source.append(depth_.emplace_back(), one.depth);
    }
  }

  // Fills the prefix cache.
  Status compute_depth() {
    if (case_.depth == 0) return {};
    WISP_CHECK(submit(0, 0));
    return run_to_end();
  }

  Result<double> prefill_once() {
    WISP_CHECK(submit(lengths_.prefill, 1));
    const std::uint64_t begin = now_ns();
    WISP_CHECK(run_to_end());
    return seconds_since(begin);
  }

  Result<double> decode_step_once() {
    // The last token of a prompt is always computed, so a sequence without depth needs one.
    WISP_CHECK(submit(1, runtime::kNoLimit));
    while (n_started_ < case_.batch) WISP_CHECK(step());
    const std::uint64_t begin = now_ns();
    for (std::uint32_t i = 0; i < lengths_.decode; ++i) WISP_CHECK(step());
    const double seconds = seconds_since(begin) / lengths_.decode;
    for (const runtime::RequestId id : live_) WISP_CHECK(engine_.cancel(id));
    // What the device still does for them must not be on the next measurement's clock.
    while (engine_.steps_in_flight() > 0) WISP_CHECK(engine_.end_step());
    return seconds;
  }

 private:
  static double seconds_since(std::uint64_t begin) { return static_cast<double>(now_ns() - begin) * 1e-9; }

  // One request a sequence: its depth, then `n_fresh` tokens that no cache has seen.
  Status submit(std::uint32_t n_fresh, std::uint32_t max_new) {
    n_started_ = n_finished_ = 0;
    failure_.reset();
    live_.clear();
    for (const std::vector<TokenId>& depth : depth_) {
      runtime::Request request;
      request.prompt = depth;
      fresh_.append(request.prompt, n_fresh);
      request.max_new_tokens = max_new;
      request.sampling.temperature = 0;
      request.ignore_end = true;
      request.on_token = [this, seen = false](const runtime::TokenEvent&) mutable {
        if (!seen) ++n_started_;
        seen = true;
      };
      request.on_finish = [this](const runtime::FinishEvent& event) {
        ++n_finished_;
        if (event.reason == runtime::FinishReason::error) failure_ = event.error;
        if (event.reason == runtime::FinishReason::context) {
          failure_ = Error{Code::limit, "the context is too short for this depth and these lengths"};
        }
      };
      WISP_TRY(const runtime::RequestId id, engine_.submit(std::move(request)));
      live_.push_back(id);
    }
    return {};
  }

  Status step() {
    if (Interrupts::pending()) return Interrupts::stopped();
    WISP_TRY(const bool worked, engine_.step());
    if (failure_) return std::unexpected(*failure_);
    if (!worked) return fail(Code::internal, "the engine stopped in the middle of a measurement");
    return {};
  }

  Status run_to_end() {
    while (n_finished_ < case_.batch) WISP_CHECK(step());
    return {};
  }

  runtime::Engine& engine_;
  BenchCase case_;
  BenchLengths lengths_;
  std::vector<std::vector<TokenId>> depth_;  // [batch][depth]
  TokenSource fresh_;
  std::vector<runtime::RequestId> live_;
  std::uint32_t n_started_ = 0, n_finished_ = 0;
  std::optional<Error> failure_;
};

// After one run for warmth.
template <class Once>
Result<double> median_of(std::uint32_t repeat, const Once& once) {
  WISP_CHECK(once());
  std::vector<double> seconds;
  for (std::uint32_t i = 0; i < repeat; ++i) {
    WISP_TRY(const double one, once());
    seconds.push_back(one);
  }
  return median(std::move(seconds));
}

}  // namespace

Result<BenchTimes> measure_case(runtime::Engine& engine, const BenchCase& one, const BenchLengths& lengths) {
  Measurement measurement(engine, one, lengths);
  WISP_CHECK(measurement.compute_depth());
  BenchTimes times;
  if (lengths.prefill > 0) {
    WISP_TRY(times.prefill_seconds, median_of(lengths.repeat, [&] { return measurement.prefill_once(); }));
  }
  if (lengths.decode > 0) {
    WISP_TRY(times.decode_step_seconds, median_of(lengths.repeat, [&] { return measurement.decode_step_once(); }));
  }
  return times;
}

StepWork step_work(const runtime::Engine& engine, double positions, bool repacked) {
  const graph::Graph& graph = engine.graph();
  StepWork work;
  for (const graph::Op& any : graph.ops) {
    const auto* op = std::get_if<graph::MatMulOp>(&any);
    if (op == nullptr) continue;
    const bool of_logits = graph.values[static_cast<std::size_t>(op->in)].rows == graph::RowSet::logits;
    for (const graph::Projection& projection : op->projections) {
      const graph::Weight& weight = graph.weights[static_cast<std::size_t>(projection.weight)];
      const double elements = static_cast<double>(weight.columns) * weight.rows;
      const gguf::TensorTypeInfo& type = gguf::tensor_type_info(weight.type);
      (of_logits ? work.ops_per_logit_row : work.ops_per_row) += 2 * elements;
      work.weight_bytes += repacked ? cpu::packed_bytes(weight.type, weight.rows, weight.columns)
                                    : static_cast<std::uint64_t>(elements) / type.block_elements * type.block_bytes;
    }
  }
  for (std::size_t g = 0; g < graph.kv.groups.size(); ++g) {
    const graph::KvGroup& group = graph.kv.groups[g];
    const double visible =
        group.window ? std::min(positions, static_cast<double>(*group.window + group.sinks)) : positions;
    const std::uint64_t block = runtime::kv_block_bytes(graph.kv, static_cast<int>(g), engine.options().kv_type);
    work.kv_bytes_per_sequence += visible * static_cast<double>(block) / graph::kKvBlock;
  }
  return work;
}

}  // namespace wisp::cli
