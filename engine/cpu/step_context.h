// What the op implementations of the CPU executor share: the kernels, the threads, the weights and KV, the plan's
// values and scratch memory. Internal to cpu/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/kv_store.h"
#include "cpu/weights.h"
#include "graph/executor.h"

namespace wisp::cpu {

// Memory that grows to the largest plan and is then reused.
struct Scratch {
  Buffer arena;                 // the plan's values
  Buffer int8_rows;             // quantised input of the current matmul
  Buffer float_rows;            // normed input of the current matmul
  Buffer projected;             // k and v of the current qkv matmul, before they are stored
  Buffer rope;                  // per RopeSpec: [rows][cosines, sines]
  Buffer attention;             // partial softmax states of split attention
  std::vector<Buffer> workers;  // per thread: an expanded panel, a packed panel, small tiles

  [[nodiscard]] std::uint64_t bytes() const;
};

struct StepContext {
  const Kernels& kernels;
  ThreadPool& pool;
  const Weights& weights;
  KvStore& kv;
  Scratch& scratch;
  const graph::Plan& plan;
  const graph::StepInputs& step;
  std::uint32_t rows;  // of the step
  std::uint32_t logit_rows;
  std::span<const std::size_t> rope_offsets;  // floats into scratch.rope, by RopeSpec

  [[nodiscard]] const graph::Graph& graph() const { return *plan.graph; }
  [[nodiscard]] std::uint32_t width(graph::ValueId id) const {
    return plan.graph->values[static_cast<std::size_t>(id)].width;
  }
  // Rows of a value in this step.
  [[nodiscard]] std::uint32_t rows_of(graph::ValueId id) const {
    return plan.graph->values[static_cast<std::size_t>(id)].rows == graph::RowSet::step ? rows : logit_rows;
  }
  // [rows_of(id), width(id)], contiguous.
  [[nodiscard]] float* value(graph::ValueId id) const {
    return reinterpret_cast<float*>(scratch.arena.data() + plan.offsets[static_cast<std::size_t>(id)]);
  }
  // cosines then sines of one row for a RopeSpec.
  [[nodiscard]] const float* rope_row(int rope, std::uint32_t row) const {
    const std::size_t pairs = plan.graph->ropes[static_cast<std::size_t>(rope)].inverse_frequency.size();
    return reinterpret_cast<const float*>(scratch.rope.data()) + rope_offsets[static_cast<std::size_t>(rope)] +
           row * 2 * pairs;
  }
  [[nodiscard]] std::uint8_t* worker_scratch(int worker) const {
    return reinterpret_cast<std::uint8_t*>(scratch.workers[static_cast<std::size_t>(worker)].data());
  }

  // Whether `units` of work are worth waking the other threads for: a barrier costs a few microseconds.
  template <class Body>
  void for_rows(std::uint32_t count, std::uint32_t least, const Body& body) const {
    if (count < least) {
      for (std::uint32_t row = 0; row < count; ++row) body(row, 0);
    } else {
      pool.parallel_for(count, [&](std::int64_t row, int worker) { body(static_cast<std::uint32_t>(row), worker); });
    }
  }
};

// Scratch a plan needs, in bytes; by the file that uses it. 64 bits, for a file's widths may pass what wasm32 can
// address.
struct ScratchNeeds {
  std::uint64_t int8_rows = 0, float_rows = 0, projected = 0, rope = 0, attention = 0, worker = 0;

  [[nodiscard]] std::uint64_t total(int threads) const {
    return int8_rows + float_rows + projected + rope + attention + worker * static_cast<std::uint64_t>(threads);
  }
};
// Of a plan, before or after anything is loaded. `kv_blocks`: how many each layer group has.
ScratchNeeds scratch_needs(const graph::Plan& plan, std::span<const std::uint32_t> kv_blocks, int threads);
void add_matmul_needs(const graph::Plan& plan, ScratchNeeds& needs);
void add_attention_needs(const graph::Plan& plan, std::span<const std::uint32_t> kv_blocks, int threads,
                         ScratchNeeds& needs);

// One function per op, each in the file of its kind.
Status run_op(const graph::EmbedOp& op, const StepContext& context);
Status run_op(const graph::ScaleOp& op, const StepContext& context);
Status run_op(const graph::NormOp& op, const StepContext& context);
Status run_op(const graph::AddBiasOp& op, const StepContext& context);
Status run_op(const graph::AddOp& op, const StepContext& context);
Status run_op(const graph::MulOp& op, const StepContext& context);
Status run_op(const graph::ActivationOp& op, const StepContext& context);
Status run_op(const graph::RopeOp& op, const StepContext& context);
Status run_op(const graph::KvWriteOp& op, const StepContext& context);
Status run_op(const graph::AttentionOp& op, const StepContext& context);
Status run_op(const graph::SoftcapOp& op, const StepContext& context);
Status run_op(const graph::SelectRowsOp& op, const StepContext& context);
Status run_op(const graph::MatMulOp& op, const StepContext& context);

// Pieces that fused and plain ops share, so that both compute the same bits.
Function function_of(graph::Activation activation);
void norm_row(const StepContext& context, const graph::NormSpec& norm, const float* in, std::size_t width, float* out);
void rope_row(const StepContext& context, int rope, std::uint32_t row, std::uint32_t head_dim, float* x,
              std::size_t width);
void write_kv_row(const StepContext& context, int layer, std::uint32_t row, const float* k, const float* v);

}  // namespace wisp::cpu
