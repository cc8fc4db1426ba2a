// Fills the step buffer (step_buffer.h) from a step's inputs, in memory that is kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gpu/program.h"
#include "gpu/sample_writer.h"
#include "gpu/slot_ring.h"
#include "graph/async_executor.h"
#include "graph/executor.h"

namespace wisp::gpu {

// RoPE tables of the step beside the graph's own: what turns the queries of a group with sinks back
// (graph/scalar_attention.h).
struct SinkRope {
  int group = 0;
  int rope = 0;
};

class StepWriter {
 public:
  // Every attention op whose group has sinks and that has RoPE adds a table.
  void prepare(const graph::Graph& graph);
  // The number of a table: the graph's rope, or a sink's.
  [[nodiscard]] std::uint32_t sink_table(int group, int rope) const;

  // The words of this step, whose samples take places of `slots`; valid until the next call.
  std::span<const std::uint32_t> write(const graph::Graph& graph, const graph::StepInputs& step,
                                       std::span<const graph::DeviceSample> samples, SlotRing& slots);
  [[nodiscard]] StepCounts counts() const { return counts_; }

 private:
  void put(std::int32_t value) { words_.push_back(static_cast<std::uint32_t>(value)); }
  void put_tables(const graph::Graph& graph, const graph::StepInputs& step);
  void put_tiles(const graph::StepInputs& step);
  void put_ropes(const graph::Graph& graph, const graph::StepInputs& step);
  void begin(std::size_t header_word);

  std::vector<std::uint32_t> words_;
  std::vector<std::uint32_t> lone_rows_;
  std::vector<SinkRope> sink_ropes_;
  std::size_t ropes_ = 0;  // of the graph
  SampleWriter samples_;
  StepCounts counts_;
};

}  // namespace wisp::gpu
