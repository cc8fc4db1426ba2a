// What a kernel is to everybody else: a WGSL text with the layout of its bindings. Kernel families (gpu/kernels/) make
// them from a specification, the pipeline cache compiles each text once, a plan dispatches them.
//
// Every kernel sees the same group 0; what only it needs (weights, keys and values) is group 1:
//   @group(0) @binding(0) step   storage, read:        what changes from step to step (step_buffer.h)
//   @group(0) @binding(1) arena  storage, read_write:  all activations of the plan, f32, by offsets in words
//   @group(0) @binding(2) op     uniform, dynamic:     this dispatch's own constants, written once with the plan
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "gpu/device/commands.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

// Bytes from one dispatch's `op` to the next: WebGPU's default alignment of dynamic offsets, and the most that
// constants may take.
inline constexpr std::uint32_t kOpBytes = 256;

struct Kernel {
  std::string label;  // "matvec q4_k 2048x512 rows 1 subgroups": in tools, counters and the tuner's memory
  std::string wgsl;   // whole text, ready for the device's dialect
  std::vector<BindingKind> bindings;  // of group 1, in order of their numbers
  std::array<std::uint32_t, 3> workgroup = {1, 1, 1};
  std::uint32_t workgroup_bytes = 0;  // of var<workgroup>, for the estimate of occupancy
};

// A dispatch's constants as the shader's uniform struct has them: 32-bit members in order, at most kOpBytes.
class OpConstants {
 public:
  template <class Struct>
  static OpConstants of(const Struct& constants) {
    static_assert(std::is_trivially_copyable_v<Struct> && sizeof(Struct) % 4 == 0 && sizeof(Struct) <= kOpBytes);
    OpConstants result;
    std::memcpy(result.words.data(), &constants, sizeof(Struct));
    return result;
  }
  std::array<std::uint32_t, kOpBytes / 4> words = {};
};

// Workgroups of a dispatch along one dimension: a constant, or what the step at hand needs.
struct Extent {
  enum class Of : std::uint8_t {
    constant,
    rows,
    logit_rows,
    splits,
    tiles,        // query tiles of attention,
    tile_splits,  // of each,
    lone_rows,    // and the rows that are in none
    samples,
    adjusted,  // of the samples those with bias or penalties,
    masked,    // with a mask,
    top_draws,
    all_draws,
  } of = Of::constant;
  std::uint32_t count = 1;  // constant: workgroups
  std::uint32_t per = 1;    // otherwise: items a workgroup serves,
  std::uint32_t first = 0;  // not counting the first ones,
  std::uint32_t most = 0;   // and of the rest at most so many; 0: all
};
using Grid = std::array<Extent, 3>;

}  // namespace wisp::gpu
