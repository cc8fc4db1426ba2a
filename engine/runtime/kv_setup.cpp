#include "runtime/kv_setup.h"

#include <algorithm>
#include <bit>

#include "base/checked.h"

namespace wisp::runtime {
namespace {

// Enough for any machine, and table indices stay far from overflow.
constexpr std::uint64_t kMostBlocks = 1u << 24;

kv::KvType to_kv(graph::KvType type) {
  switch (type) {
    case graph::KvType::f32: return kv::KvType::f32;
    case graph::KvType::f16: return kv::KvType::f16;
    case graph::KvType::q8_0: return kv::KvType::q8_0;
  }
  return kv::KvType::f32;
}

std::vector<kv::LayerGroup> layer_groups(const graph::KvLayout& layout) {
  std::vector<kv::LayerGroup> groups;
  for (const graph::KvGroup& group : layout.groups) {
    kv::LayerGroup& added = groups.emplace_back();
    added.index = static_cast<int>(groups.size()) - 1;
    added.window = group.window;
    added.sinks = group.sinks;
  }
  for (std::size_t layer = 0; layer < layout.layers.size(); ++layer) {
    groups[static_cast<std::size_t>(layout.layers[layer].group)].layers.push_back(static_cast<int>(layer));
  }
  return groups;
}

// One more word into a hash (the finaliser of splitmix64).
std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash += word + 0x9E3779B97F4A7C15u;
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9u;
  hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBu;
  return hash ^ (hash >> 31);
}

}  // namespace

std::uint64_t kv_block_bytes(const graph::KvLayout& layout, int group, graph::KvType type) {
  std::uint64_t bytes = 0;
  for (const graph::KvLayer& layer : layout.layers) {
    if (layer.group != group) continue;
    bytes += 2 * std::uint64_t{layer.kv_heads} * kv::kv_row_bytes(to_kv(type), layer.head_dim) * kv::kBlockPositions;
  }
  return bytes;
}

Result<kv::KvConfig> make_kv_config(const graph::KvLayout& layout, std::uint32_t max_positions,
                                    const EngineOptions& options) {
  kv::KvConfig config{.groups = layer_groups(layout),
                      .n_blocks = options.kv_blocks,
                      .max_sequences = options.max_sequences,
                      .max_positions = max_positions};
  if (!config.n_blocks.empty() && config.n_blocks.size() != config.groups.size()) {
    return fail(Code::invalid_argument, "KV blocks are given for {} layer groups; the model has {}",
                config.n_blocks.size(), config.groups.size());
  }
  const auto blocks_for_each = [&](std::uint32_t positions, std::uint64_t sequences) {
    std::vector<std::uint32_t> blocks;
    for (const kv::LayerGroup& group : config.groups) {
      const std::uint64_t each = kv::most_blocks(group, positions, options.row_budget);
      blocks.push_back(static_cast<std::uint32_t>(std::clamp<std::uint64_t>(each * sequences, 1, kMostBlocks)));
    }
    return blocks;
  };
  const auto fits = [&](const std::vector<std::uint32_t>& blocks) {
    std::uint64_t left = options.kv_bytes;
    for (std::size_t g = 0; g < blocks.size(); ++g) {
      const std::uint64_t each = kv_block_bytes(layout, static_cast<int>(g), options.kv_type);
      if (each != 0 && blocks[g] > left / each) return false;
      left -= each * blocks[g];
    }
    return true;
  };
  const bool given = !config.n_blocks.empty();
  if (!given) config.n_blocks = blocks_for_each(max_positions, options.max_sequences);
  if (options.kv_bytes == 0 || fits(config.n_blocks)) return config;

  // The longest sequences, in blocks, of which max_sequences fit; else as many of one block as do. Windowed groups thus
  // keep what their windows need while the others give way.
  std::uint32_t fitting = 0, too_many = kv::blocks_for(max_positions) + 1;
  while (!given && too_many - fitting > 1) {
    const std::uint32_t middle = fitting + (too_many - fitting) / 2;
    const std::uint32_t positions = std::min(max_positions, middle * kv::kBlockPositions);
    (fits(blocks_for_each(positions, options.max_sequences)) ? fitting : too_many) = middle;
  }
  if (fitting > 0) {
    config.n_blocks = blocks_for_each(std::min(max_positions, fitting * kv::kBlockPositions), options.max_sequences);
    return config;
  }
  for (std::uint32_t sequences = options.max_sequences; !given && --sequences > 0;) {
    config.n_blocks = blocks_for_each(kv::kBlockPositions, sequences);
    if (fits(config.n_blocks)) return config;
  }
  return fail(Code::out_of_memory, "{} for the KV store do not hold {} in every layer group",
              format_bytes(options.kv_bytes), given ? "the blocks asked for" : "a block");
}

std::uint64_t kv_pool_bytes(const graph::KvLayout& layout, const kv::KvConfig& config, graph::KvType type) {
  std::uint64_t bytes = 0;
  for (std::size_t g = 0; g < config.n_blocks.size(); ++g) {
    bytes += config.n_blocks[g] * kv_block_bytes(layout, static_cast<int>(g), type);
  }
  return bytes;
}

Result<KvFit> fit_kv(const graph::KvLayout& layout, std::uint32_t max_positions, const EngineOptions& options,
                     std::uint64_t room) {
  EngineOptions tried = options;
  const auto all_of = [&](graph::KvType type) -> Result<std::optional<KvFit>> {
    tried.kv_type = type;
    WISP_TRY(kv::KvConfig config, make_kv_config(layout, max_positions, tried));
    if (kv_pool_bytes(layout, config, type) > room) return std::nullopt;
    return KvFit{type, std::move(config)};
  };
  WISP_TRY(std::optional<KvFit> wanted, all_of(options.kv_type));
  if (wanted) return std::move(*wanted);
  if (options.kv_may_narrow) {
    WISP_TRY(std::optional<KvFit> narrow, all_of(graph::KvType::q8_0));
    if (narrow) return std::move(*narrow);
  }
  tried.kv_bytes = std::max<std::uint64_t>(options.kv_bytes == 0 ? room : std::min(options.kv_bytes, room), 1);
  WISP_TRY(kv::KvConfig config, make_kv_config(layout, max_positions, tried));
  return KvFit{tried.kv_type, std::move(config)};
}

std::uint64_t cache_salt(const graph::Graph& graph, graph::KvType type, std::uint64_t request_salt) {
  std::uint64_t hash = mix(request_salt, static_cast<std::uint64_t>(type));
  for (const graph::KvGroup& group : graph.kv.groups) {
    hash = mix(hash, group.window ? std::uint64_t{*group.window} + 1 : 0);
    hash = mix(hash, group.sinks);
  }
  for (const graph::RopeSpec& rope : graph.ropes) {
    hash = mix(hash, static_cast<std::uint64_t>(rope.pairing));
    hash = mix(hash, std::bit_cast<std::uint32_t>(rope.magnitude));
    for (const double frequency : rope.inverse_frequency) hash = mix(hash, std::bit_cast<std::uint64_t>(frequency));
  }
  return hash;
}

}  // namespace wisp::runtime
