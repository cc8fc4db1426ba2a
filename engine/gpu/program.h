// A plan as the device runs it: dispatches in order, each with its pipeline, its buffers and its constants, made once.
// Per step only the step buffer and the numbers of workgroups change.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gpu/pipelines.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

struct Dispatch {
  int op = 0;  // of the graph; behind the last one: choosing tokens
  PipelineId pipeline = PipelineId::none;
  BindGroupId group = BindGroupId::none;  // 1; none where the kernel has no buffers of its own
  std::uint32_t slot = 0;                 // of its constants
  Grid grid;
  // Recorded only where a step has so many rows (of `of`): one plan holds the kernel for few and the one for many.
  Extent::Of of = Extent::Of::constant;
  std::uint32_t least = 0, most = 0;
};

struct Program {
  std::vector<Dispatch> dispatches;
  std::size_t choosing = 0;            // the first of those behind the last op, which choose tokens
  std::vector<OpConstants> constants;  // by slot
  std::vector<std::string> questions;  // by op, of its first product: what the tuner was asked; empty: nothing
  std::uint32_t arena_words = 0;       // vectors, values and scratch
};

// What a step asks for, as grids count it.
struct StepCounts {
  std::uint32_t rows = 0, logit_rows = 0, splits = 0;
  std::uint32_t tiles = 0, tile_splits = 0, lone_rows = 0;
  std::uint32_t samples = 0, adjusted = 0, masked = 0, top_draws = 0, all_draws = 0;
};
// Items of an extent's kind, and the workgroups that it takes; 0: nothing to do.
std::uint32_t count_of(Extent::Of of, const StepCounts& counts);
std::uint32_t workgroups(const Extent& extent, const StepCounts& counts);

}  // namespace wisp::gpu
