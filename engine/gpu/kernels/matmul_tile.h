// The matrix kernels for many rows of x: tiles in workgroup memory (wgsl/matmul.wgsl), or the device's matrix units
// (wgsl/matmul_units.wgsl).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "gpu/kernels/matmul.h"

namespace wisp::gpu {

// How a product is cut, and what its tiles hold: integers where the specification has int8, else floats or halves.
struct TileShape {
  std::uint32_t edge = 32;  // rows of x, and of W, that a workgroup multiplies: 32 or 64
  bool rounded = false;     // x is what round_kernel() made of it
  bool halves = false;      // tiles of f16, sums of f32; needs `rounded`, and the device's shader-f16
  bool units = false;       // matrix units; needs `halves`, an edge of 64, and the device's subgroup matrices
};

// Every shape that the device can run, the best guess first. `halves`: whether x may be rounded to f16. Those with
// matrix units, which a probe should see before they are used, come last.
std::vector<TileShape> tile_shapes(const MatMulSpec& spec, bool halves, const DeviceInfo& info);

// The specification has no norm. With halves its types are quantised or f16, whose values f16 holds well enough.
Result<Kernel> matmul_kernel(const MatMulSpec& spec, const TileShape& shape, const DeviceInfo& info);
Grid matmul_grid(const MatMulSpec& spec, const TileShape& shape, Extent::Of rows);

// Whether all types of a product are good to be rounded to f16.
bool fits_halves(const MatMulSpec& spec);

}  // namespace wisp::gpu
