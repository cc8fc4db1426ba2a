#include "gpu/kernels/round_rows.h"

#include "base/checked.h"
#include "gpu/kernels/text.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

constexpr std::uint32_t kSideBySide = 32;  // rows; wgsl/rounded_x.wgsl

std::uint32_t row_words(std::uint32_t columns, bool halves) {
  const std::uint32_t blocks = div_up(columns, kBlockColumns);
  return halves ? 16 * blocks + 1 : 12 * blocks;
}

}  // namespace

Result<Kernel> round_kernel(std::uint32_t columns, bool halves, const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("K", columns).set("KB", div_up(columns, kBlockColumns)).set("INT8", !halves);
  define_rounded(text.defines(), columns, halves);
  return std::move(text).finish("round_rows.wgsl", fmt::format("round {} to {}", columns, halves ? "f16" : "int8"),
                                {64, 1, 1}, halves ? 256 : 0);
}

Grid round_grid(Extent::Of rows) { return {Extent{}, Extent{.of = rows}, Extent{}}; }

std::uint64_t rounded_words(std::uint32_t rows, std::uint32_t columns, bool halves) {
  return std::uint64_t{align_up(rows, kSideBySide)} * row_words(columns, halves);
}

void define_rounded(Defines& defines, std::uint32_t columns, bool halves) {
  defines.set("HALVES", halves).set("X_WORDS", row_words(columns, halves));
}

}  // namespace wisp::gpu
