#include "gpu/program.h"

#include <algorithm>

#include "base/checked.h"

namespace wisp::gpu {

std::uint32_t count_of(Extent::Of of, const StepCounts& counts) {
  switch (of) {
    case Extent::Of::constant: return 1;
    case Extent::Of::rows: return counts.rows;
    case Extent::Of::logit_rows: return counts.logit_rows;
    case Extent::Of::splits: return counts.splits;
    case Extent::Of::tiles: return counts.tiles;
    case Extent::Of::tile_splits: return counts.tile_splits;
    case Extent::Of::lone_rows: return counts.lone_rows;
    case Extent::Of::samples: return counts.samples;
    case Extent::Of::adjusted: return counts.adjusted;
    case Extent::Of::masked: return counts.masked;
    case Extent::Of::top_draws: return counts.top_draws;
    case Extent::Of::all_draws: return counts.all_draws;
  }
  return 0;
}

std::uint32_t workgroups(const Extent& extent, const StepCounts& counts) {
  if (extent.of == Extent::Of::constant) return extent.count;
  const std::uint32_t all = count_of(extent.of, counts);
  const std::uint32_t rest = all > extent.first ? all - extent.first : 0;
  return div_up(extent.most == 0 ? rest : std::min(rest, extent.most), extent.per);
}

}  // namespace wisp::gpu
