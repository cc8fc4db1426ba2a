// The measurements of `wisp bench`: rows through an engine, timed around whole steps.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "runtime/engine.h"

namespace wisp::cli {

// `batch` sequences that already hold `depth` tokens each.
struct BenchCase {
  std::uint32_t batch = 1;
  std::uint32_t depth = 0;
};

struct BenchLengths {
  std::uint32_t prefill = 512;  // prompt tokens of each sequence behind its depth
  std::uint32_t decode = 32;    // steps of one new token for each sequence
  std::uint32_t repeat = 3;
};

// Medians over the repeats.
struct BenchTimes {
  double prefill_seconds = 0;      // all sequences' prompts
  double decode_step_seconds = 0;  // one step, one token for each sequence
};

// The depth is computed once and found in the prefix cache by every repeat, so that only what is measured is computed
// while the clock runs. An engine for it has room for batch + 1 sequences of depth + prefill + decode + 64 positions.
Result<BenchTimes> measure_case(runtime::Engine& engine, const BenchCase& one, const BenchLengths& lengths);

// What the arithmetic of a step costs at least, whoever does it.
struct StepWork {
  std::uint64_t weight_bytes = 0;                 // read once a step, whatever its rows
  double kv_bytes_per_sequence = 0;               // read by a row behind `positions` others
  double ops_per_row = 0, ops_per_logit_row = 0;  // multiplications and additions in matrices
};
StepWork step_work(const runtime::Engine& engine, double positions, bool repacked);

}  // namespace wisp::cli
