#include "graph/scalar_executor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "graph/scalar_attention.h"
#include "graph/scalar_kv.h"
#include "graph/scalar_matmul.h"
#include "graph/scalar_ops.h"
#include "graph/scalar_weights.h"
#include "graph/step_check.h"

namespace wisp::graph {
namespace {

using namespace scalar;

// One step of one plan: every op as a function over values in the arena.
struct Step {
  const Plan& plan;
  const Graph& graph;
  const StepInputs& inputs;
  const WeightStore& weights;
  KvStore& kv;
  Arithmetic arithmetic;
  std::span<std::byte> arena;
  std::vector<float>& normed;              // the input of a matmul with a norm
  std::vector<std::vector<float>>& parts;  // its projections that have no value of their own
  MatMulScratch& matmul_scratch;
  AttentionScratch& attention_scratch;

  [[nodiscard]] std::size_t width(ValueId id) const { return graph.values[static_cast<std::size_t>(id)].width; }
  [[nodiscard]] std::size_t rows(ValueId id) const {
    const bool all = graph.values[static_cast<std::size_t>(id)].rows == RowSet::step;
    return all ? inputs.tokens.size() : inputs.logit_rows.size();
  }
  // The whole value, [rows, width].
  [[nodiscard]] std::span<float> value(ValueId id) const {
    float* first = reinterpret_cast<float*>(arena.data() + plan.offsets[static_cast<std::size_t>(id)]);
    return {first, rows(id) * width(id)};
  }
  [[nodiscard]] std::span<const std::int32_t> table(int layer, std::size_t row) const {
    const auto group = static_cast<std::size_t>(graph.kv.layers[static_cast<std::size_t>(layer)].group);
    return inputs.tables[group * inputs.n_sequences + static_cast<std::size_t>(inputs.sequences[row])];
  }

  void norm(const NormSpec& spec, std::span<const float> in, std::span<float> out) const {
    const std::span<const float> weight = weights.vector(spec.weight);
    for (std::size_t i = 0; i < in.size(); i += spec.group) {
      rms_norm(in.subspan(i, spec.group), weight, spec.eps, out.subspan(i, spec.group));
    }
  }
  void add_bias(WeightId id, std::span<const float> in, std::span<float> out) const {
    const std::span<const float> bias = weights.vector(id);
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] + bias[i % bias.size()];
  }
  void turn(int rope_index, std::uint32_t head_dim, std::span<float> x) const {
    const RopeSpec& spec = graph.ropes[static_cast<std::size_t>(rope_index)];
    const std::size_t columns = x.size() / inputs.positions.size();
    for (std::size_t r = 0; r < inputs.positions.size(); ++r) {
      rope(spec, inputs.positions[r], spec.magnitude, head_dim, x.subspan(r * columns, columns));
    }
  }
  // [rows, kv_heads * head_dim] into the store, each row at its position.
  void store(int layer, KvPart part, std::span<const float> x) const {
    const KvLayer& shape = graph.kv.layers[static_cast<std::size_t>(layer)];
    for (std::size_t r = 0; r < inputs.positions.size(); ++r) {
      const auto position = static_cast<std::uint32_t>(inputs.positions[r]);
      const std::int32_t block = table(layer, r)[position / kKvBlock];
      for (std::uint32_t head = 0; head < shape.kv_heads; ++head) {
        const std::size_t first = (r * shape.kv_heads + head) * shape.head_dim;
        kv.write(layer, part, block, position % kKvBlock, head, x.subspan(first, shape.head_dim));
      }
    }
  }

  Status operator()(const EmbedOp& op) const {
    const Weight& weight = graph.weights[static_cast<std::size_t>(op.table)];
    for (std::size_t r = 0; r < inputs.tokens.size(); ++r) {
      WISP_CHECK(weights.gather(weight, op.table, static_cast<std::uint32_t>(inputs.tokens[r]),
                                value(op.out).subspan(r * weight.columns, weight.columns)));
    }
    return {};
  }
  Status operator()(const ScaleOp& op) const {
    std::ranges::transform(value(op.in), value(op.out).begin(), [&](float x) { return x * op.factor; });
    return {};
  }
  Status operator()(const NormOp& op) const {
    norm(op.norm, value(op.in), value(op.out));
    return {};
  }
  Status operator()(const AddBiasOp& op) const {
    add_bias(op.bias, value(op.in), value(op.out));
    return {};
  }
  Status operator()(const AddOp& op) const {
    std::ranges::transform(value(op.a), value(op.b), value(op.out).begin(), std::plus{});
    return {};
  }
  Status operator()(const MulOp& op) const {
    std::ranges::transform(value(op.a), value(op.b), value(op.out).begin(), std::multiplies{});
    return {};
  }
  Status operator()(const ActivationOp& op) const {
    std::ranges::transform(value(op.in), value(op.out).begin(), [&](float x) { return activate(op.function, x); });
    return {};
  }
  Status operator()(const RopeOp& op) const {
    std::ranges::copy(value(op.in), value(op.out).begin());
    turn(op.rope, op.head_dim, value(op.out));
    return {};
  }
  Status operator()(const KvWriteOp& op) const {
    store(op.layer, KvPart::key, value(op.k));
    store(op.layer, KvPart::value, value(op.v));
    return {};
  }
  Status operator()(const AttentionOp& op) const {
    const std::size_t columns = width(op.q);
    for (std::size_t r = 0; r < inputs.positions.size(); ++r) {
      attend(op, graph, kv, inputs.positions[r], table(op.layer, r), value(op.q).subspan(r * columns, columns),
             value(op.out).subspan(r * columns, columns), attention_scratch);
    }
    return {};
  }
  Status operator()(const SoftcapOp& op) const {
    std::ranges::transform(value(op.in), value(op.out).begin(), [&](float x) { return softcap(x, op.cap); });
    return {};
  }
  Status operator()(const SelectRowsOp& op) const {
    const std::size_t columns = width(op.in);
    for (std::size_t i = 0; i < inputs.logit_rows.size(); ++i) {
      const auto row = static_cast<std::size_t>(inputs.logit_rows[i]);
      std::ranges::copy(value(op.in).subspan(row * columns, columns), value(op.out).begin() + i * columns);
    }
    return {};
  }

  // A projection with its bias, head norm and RoPE, into `out`.
  void project(const Projection& projection, std::span<const float> in, std::size_t n, std::span<float> out) const {
    const Weight& weight = graph.weights[static_cast<std::size_t>(projection.weight)];
    matmul(weight, weights.matrix(projection.weight), arithmetic, n, in, out, matmul_scratch);
    if (projection.bias != kNoWeight) add_bias(projection.bias, out, out);
    if (projection.head_norm) norm(*projection.head_norm, out, out);
    if (projection.rope >= 0) turn(projection.rope, projection.head_dim, out);
  }

  Status operator()(const MatMulOp& op) const {
    std::span<const float> in = value(op.in);
    const std::size_t n = rows(op.in);
    if (op.norm) {
      normed.resize(in.size());
      norm(*op.norm, in, normed);
      in = normed;
    }
    std::vector<std::span<float>> results;
    for (std::size_t i = 0; i < op.projections.size(); ++i) {
      const Projection& projection = op.projections[i];
      if (projection.out != kNoValue) {
        results.push_back(value(projection.out));
      } else {
        parts[i].resize(n * graph.weights[static_cast<std::size_t>(projection.weight)].rows);
        results.emplace_back(parts[i]);
      }
      project(projection, in, n, results[i]);
    }
    switch (op.combine) {
      case Combine::separate: {
        const std::span<float> out = results[0];
        if (op.activation != Activation::none) {
          for (float& x : out) x = activate(op.activation, x);
        }
        if (op.residual != kNoValue) std::ranges::transform(out, value(op.residual), out.begin(), std::plus{});
        break;
      }
      case Combine::gated:
        std::ranges::transform(results[0], results[1], value(op.out).begin(),
                               [&](float gate, float up) { return activate(op.activation, gate) * up; });
        break;
      case Combine::qkv:
        store(op.kv_layer, KvPart::key, results[1]);
        store(op.kv_layer, KvPart::value, results[2]);
        break;
    }
    return {};
  }
};

class ScalarExecutor final : public Executor {
 public:
  explicit ScalarExecutor(Arithmetic arithmetic) : arithmetic_(arithmetic) {}

  [[nodiscard]] std::string describe() const override {
    return arithmetic_ == Arithmetic::exact ? "scalar, exact" : "scalar, int8 activations";
  }

  Status begin_load(const Graph& graph, const gguf::File& file) override { return weights_.begin(graph, file); }
  Result<LoadState> load_more() override { return weights_.load_more(); }
  [[nodiscard]] const WeightStream* weight_stream() const override { return &weights_.stream(); }

  Status allocate_kv(const KvLayout& layout, KvType type, std::span<const std::uint32_t> blocks) override {
    return kv_.allocate(layout, type, blocks);
  }

  [[nodiscard]] bool moves_kv() const override { return true; }
  Status read_kv(int group, std::int32_t block, std::uint32_t positions, std::span<std::byte> bytes) override {
    WISP_CHECK(check_kv_move(kv_.layout(), kv_.type(), kv_.blocks(), group, block, bytes.size()));
    std::ranges::copy(kv_.block(group, block), bytes.begin());
    clear_kv_tail(kv_.layout(), kv_.type(), group, positions, bytes);
    return {};
  }
  Status write_kv(int group, std::int32_t block, std::span<const std::byte> bytes) override {
    WISP_CHECK(check_kv_move(kv_.layout(), kv_.type(), kv_.blocks(), group, block, bytes.size()));
    std::ranges::copy(bytes, kv_.block(group, block).begin());
    return {};
  }

  Status prepare(const Plan& plan) override {
    if (arena_.size() < plan.arena_bytes) {
      WISP_TRY(arena_, Buffer::allocate(plan.arena_bytes, "activations"));
    }
    counters_.resize(plan.graph->ops.size());
    return {};
  }

  Result<std::span<const float>> execute(const Plan& plan, const StepInputs& inputs) override {
    if (counters_.size() != plan.graph->ops.size() || arena_.size() < plan.arena_bytes) {
      return fail(Code::invalid_argument, "the plan was not prepared");
    }
    WISP_CHECK(check_step(plan, inputs, kv_.blocks()));
    for (const BlockCopy& copy : inputs.copies) kv_.copy(copy);
    const Step step{plan,    *plan.graph, inputs,          weights_,          kv_, arithmetic_, arena_.bytes(),
                    normed_, parts_,      matmul_scratch_, attention_scratch_};
    for (std::size_t i = 0; i < plan.graph->ops.size(); ++i) {
      const std::uint64_t begin = profiling_ ? now_ns() : 0;
      WISP_CHECK(std::visit(step, plan.graph->ops[i]));
      OpCounter& counter = counters_[i];
      ++counter.calls;
      counter.rows += inputs.tokens.size();
      if (!profiling_) continue;
      const std::uint64_t end = now_ns();
      counter.nanoseconds += end - begin;
      if (trace_) trace_(static_cast<int>(i), begin, end);
    }
    return step.value(plan.graph->logits);
  }

  void set_profiling(bool on, std::function<void(int, std::uint64_t, std::uint64_t)> trace) override {
    profiling_ = on;
    trace_ = std::move(trace);
  }

  [[nodiscard]] std::span<const OpCounter> counters() const override { return counters_; }

  [[nodiscard]] std::vector<MemoryUse> memory() const override {
    return {{"weights", weights_.bytes()}, {"kv", kv_.bytes()}, {"activations", arena_.size()}};
  }

 private:
  Arithmetic arithmetic_;
  WeightStore weights_;
  KvStore kv_;
  Buffer arena_;  // serves every plan: only one runs at a time
  std::vector<float> normed_;
  std::vector<std::vector<float>> parts_ = std::vector<std::vector<float>>(3);
  MatMulScratch matmul_scratch_;
  AttentionScratch attention_scratch_;
  std::vector<OpCounter> counters_;
  bool profiling_ = false;
  std::function<void(int, std::uint64_t, std::uint64_t)> trace_;
};

}  // namespace

std::unique_ptr<Executor> make_scalar_executor(Arithmetic arithmetic) {
  return std::make_unique<ScalarExecutor>(arithmetic);
}

}  // namespace wisp::graph
