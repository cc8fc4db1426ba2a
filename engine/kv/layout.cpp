#include "kv/layout.h"

#include <algorithm>

namespace wisp::kv {

std::string_view kv_type_name(KvType type) {
  switch (type) {
    case KvType::f32: return "f32";
    case KvType::f16: return "f16";
    case KvType::q8_0: return "q8_0";
  }
  return "f32";
}

std::optional<KvType> parse_kv_type(std::string_view name) {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
    if (name == kv_type_name(type)) return type;
  }
  return std::nullopt;
}

std::uint64_t kv_row_bytes(KvType type, std::uint32_t n) {
  constexpr std::uint64_t kQ8Values = 32, kQ8Bytes = 34;  // an f16 scale and 32 int8
  switch (type) {
    case KvType::f32: return std::uint64_t{n} * 4;
    case KvType::f16: return std::uint64_t{n} * 2;
    case KvType::q8_0: return div_up<std::uint64_t>(n, kQ8Values) * kQ8Bytes;
  }
  return 0;
}

std::uint32_t most_blocks(const LayerGroup& group, std::uint32_t n_positions, std::uint32_t max_rows) {
  const std::uint32_t all = blocks_for(n_positions);
  if (!group.window) return all;
  // Alive while rows [p, p + max_rows) are computed: the window - 1 positions before p and the rows themselves. A run
  // of n positions that starts anywhere touches at most 1 + ceil((n - 1) / kBlockPositions) blocks.
  const std::uint64_t run = std::uint64_t{*group.window} - 1 + std::max(max_rows, std::uint32_t{1});
  const std::uint64_t live = 1 + div_up<std::uint64_t>(run - 1, kBlockPositions);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(all, sink_blocks(group) + live));
}

}  // namespace wisp::kv
