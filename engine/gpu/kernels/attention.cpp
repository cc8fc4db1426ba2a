#include "gpu/kernels/attention.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "gpu/kernels/text.h"
#include "gpu/kv_layout.h"
#include "gpu/step_buffer.h"

namespace wisp::gpu {
namespace {

// `Spec` is of heads or of attention.
template <class Spec>
void define_kv(Defines& defines, const Spec& spec) {
  const KvEntry entry = kv_entry(spec.kv_type, spec.head_dim);
  defines.set("KV_HEADS", spec.kv_heads).set("HEAD_DIM", spec.head_dim);
  defines.set("KV_TYPE", static_cast<std::int64_t>(spec.kv_type)).set("KEYS_BY_WORD", spec.keys == KeyOrder::by_word);
  defines.set("HEAD_WORDS", entry.words).set("HEAD_RUNS", entry.runs).set("VALUES", entry.values);
  defines.set("HEAD_PADDED", entry.words * entry.values);
}

void define_pairs(Defines& defines, std::uint32_t pairs, graph::RopePairing pairing) {
  defines.set("PAIRS", pairs).set("ADJACENT", pairing == graph::RopePairing::adjacent);
}

std::string_view type_name(graph::KvType type) {
  switch (type) {
    case graph::KvType::f32: return "f32";
    case graph::KvType::f16: return "f16";
    case graph::KvType::q8_0: return "q8_0";
  }
  return "";
}

std::string_view order_name(KeyOrder keys) { return keys == KeyOrder::by_word ? "" : " keys by position"; }

std::string attention_label(std::string_view what, const AttentionSpec& spec) {
  return fmt::format("{} {}x{} of {} {}{}", what, spec.kv_heads, spec.queries, spec.head_dim, type_name(spec.kv_type),
                     order_name(spec.keys));
}

// Query heads of a kv head: `together` in a workgroup.
struct HeadShape {
  std::uint32_t groups, together;
};

// Of a single row: as many as fit, all alike.
std::uint32_t row_bytes(const AttentionSpec& spec, std::uint32_t together) {
  const KvEntry entry = kv_entry(spec.kv_type, spec.head_dim);
  return 4 * together * (entry.words * entry.values * (spec.sinks ? 2 : 1) + kSplit) + 256;
}
HeadShape row_shape(const AttentionSpec& spec) {
  constexpr std::uint32_t kMostBytes = 16384;  // what every device has
  std::uint32_t together = spec.queries;
  while (together > 1 && (spec.queries % together != 0 || row_bytes(spec, together) > kMostBytes)) --together;
  return {spec.queries / together, together};
}

// Of a tile: 4 heads of 16 rows are 256 threads, the most that every device has.
HeadShape tile_shape(const AttentionSpec& spec) {
  constexpr std::uint32_t kMostTogether = 4;
  const std::uint32_t together = div_up(spec.queries, div_up(spec.queries, kMostTogether));
  return {div_up(spec.queries, together), together};
}

Extent::Of rows_of(const AttentionSpec& spec) { return spec.listed ? Extent::Of::lone_rows : Extent::Of::rows; }

Result<Kernel> join_kernel(const AttentionSpec& spec, bool tiles, const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("HEADS", spec.kv_heads * spec.queries).set("HEAD_DIM", spec.head_dim).set("SPLIT", kSplit);
  text.defines().set("TILES", tiles).set("LISTED", spec.listed);
  return std::move(text).finish(
      "attention_join.wgsl", fmt::format("attention {}join of {}", tiles ? "tile " : "", spec.head_dim), {64, 1, 1}, 0);
}

}  // namespace

std::string attention_key(const AttentionSpec& spec) {
  AttentionSpec any = spec;
  any.keys = KeyOrder::by_word;
  return attention_label("attention", any) + (spec.softcap ? " softcap" : "");
}

Result<Kernel> head_kernel(const HeadSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  define_kv(text.defines(), spec);
  define_pairs(text.defines(), spec.pairs, spec.pairing);
  text.defines().set("HEADS", spec.heads).set("Q_NORM", spec.q_norm).set("K_NORM", spec.k_norm);
  text.defines().set("ROPE", spec.q_rope).set("K_ROPE", spec.k_rope);
  if (spec.kv_heads > 0) {
    text.add_binding(BindingKind::storage_read_write);
    text.add_binding(BindingKind::storage_read_write);
  }
  return std::move(text).finish("rope_kv.wgsl",
                                fmt::format("heads {}+{} of {} {}{}", spec.heads, spec.kv_heads, spec.head_dim,
                                            type_name(spec.kv_type), order_name(spec.keys)),
                                {32, 1, 1}, spec.head_dim * 4 + 256);
}

Grid head_grid(const HeadSpec& spec) {
  return {Extent{.count = spec.heads + 2 * spec.kv_heads}, Extent{.of = Extent::Of::rows}, Extent{}};
}

Result<Kernel> attention_kernel(const AttentionSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  define_kv(text.defines(), spec);
  define_pairs(text.defines(), spec.pairs, spec.pairing);
  const HeadShape shape = row_shape(spec);
  text.defines()
      .set("QUERIES", spec.queries)
      .set("HEAD_GROUPS", shape.groups)
      .set("TOGETHER", shape.together)
      .set("SPLIT", kSplit)
      .set("SINKS", spec.sinks)
      .set("SOFTCAP", spec.softcap)
      .set("LISTED", spec.listed);
  text.add_binding(BindingKind::storage_read);
  text.add_binding(BindingKind::storage_read);
  return std::move(text).finish("attention.wgsl", attention_label("attention", spec), {64, 1, 1},
                                row_bytes(spec, shape.together));
}

Grid attention_grid(const AttentionSpec& spec) {
  return {Extent{.count = spec.kv_heads * row_shape(spec).groups}, Extent{.of = rows_of(spec)},
          Extent{.of = Extent::Of::splits}};
}

Result<Kernel> attention_join_kernel(const AttentionSpec& spec, const DeviceInfo& info) {
  return join_kernel(spec, false, info);
}

Grid attention_join_grid(const AttentionSpec& spec) {
  return {Extent{.count = spec.kv_heads * spec.queries}, Extent{.of = rows_of(spec)}, Extent{}};
}

Result<Kernel> attention_tile_kernel(const AttentionSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  define_kv(text.defines(), spec);
  define_pairs(text.defines(), spec.pairs, spec.pairing);
  const HeadShape shape = tile_shape(spec);
  const std::uint32_t lines = kQueryTile * shape.together;
  const std::uint32_t steps = div_up(spec.head_dim, 16u);
  // In vectors of 16 bytes: 16 columns of the lines and of 32 keys, or as many rows of values as fit there.
  const std::uint32_t keys = lines * 4 + 128;
  std::uint32_t value_rows = 32;
  while (value_rows > 1 && value_rows * steps * 4 > std::max(keys, 256u)) value_rows /= 2;
  const std::uint32_t stage = std::max(keys, value_rows * steps * 4);
  text.defines()
      .set("QUERIES", spec.queries)
      .set("HEAD_GROUPS", shape.groups)
      .set("TOGETHER", shape.together)
      .set("LINES", lines)
      .set("STEPS", steps)
      .set("STAGE", stage)
      .set("VALUE_ROWS", value_rows)
      .set("SINKS", spec.sinks)
      .set("SOFTCAP", spec.softcap);
  text.add_binding(BindingKind::storage_read);
  text.add_binding(BindingKind::storage_read);
  return std::move(text).finish("attention_tile.wgsl", attention_label("attention tile", spec), {lines * 4, 1, 1},
                                16 * (stage + lines * 8));
}

Grid attention_tile_grid(const AttentionSpec& spec) {
  return {Extent{.count = spec.kv_heads * tile_shape(spec).groups}, Extent{.of = Extent::Of::tiles},
          Extent{.of = Extent::Of::tile_splits}};
}

Result<Kernel> attention_tile_join_kernel(const AttentionSpec& spec, const DeviceInfo& info) {
  return join_kernel(spec, true, info);
}

Grid attention_tile_join_grid(const AttentionSpec& spec) {
  return {Extent{.count = spec.kv_heads * spec.queries}, Extent{.of = Extent::Of::tiles}, Extent{.count = kQueryTile}};
}

std::uint32_t attention_tile_partials(const AttentionSpec& spec) {
  return kTileParts * kQueryTile * spec.kv_heads * spec.queries * (spec.head_dim + 2);
}

Result<Kernel> attention_plain_kernel(const AttentionSpec& spec, PlainPart part, const DeviceInfo& info) {
  constexpr std::array<std::string_view, 3> kNames = {"attention scores", "attention softmax", "attention values"};
  KernelText text(info);
  define_kv(text.defines(), spec);
  define_pairs(text.defines(), spec.pairs, spec.pairing);
  text.defines()
      .set("PART", static_cast<std::int64_t>(part))
      .set("QUERIES", spec.queries)
      .set("SPLIT", kSplit)
      .set("SINKS", spec.sinks)
      .set("SOFTCAP", spec.softcap);
  if (part != PlainPart::softmax) {
    text.add_binding(BindingKind::storage_read);
    text.add_binding(BindingKind::storage_read);
  }
  const KvEntry entry = kv_entry(spec.kv_type, spec.head_dim);
  const std::uint32_t bytes = part == PlainPart::scores    ? entry.words * entry.values * (spec.sinks ? 8 : 4)
                              : part == PlainPart::softmax ? 256
                                                           : 0;
  return std::move(text).finish("attention_plain.wgsl", attention_label(kNames[static_cast<std::size_t>(part)], spec),
                                {64, 1, 1}, bytes);
}

Grid attention_plain_grid(const AttentionSpec& spec, PlainPart part) {
  const Extent splits = part == PlainPart::scores ? Extent{.of = Extent::Of::splits} : Extent{};
  return {Extent{.count = spec.kv_heads * spec.queries}, Extent{.of = Extent::Of::rows}, splits};
}

}  // namespace wisp::gpu
