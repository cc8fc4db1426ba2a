#include "gpu/kernels/attention.h"

#include "gpu/kernels/text.h"
#include "gpu/kv_layout.h"

namespace wisp::gpu {
namespace {

void define_kv(Defines& defines, std::uint32_t kv_heads, std::uint32_t head_dim, graph::KvType type) {
  const KvEntry entry = kv_entry(type, head_dim);
  defines.set("KV_HEADS", kv_heads).set("HEAD_DIM", head_dim).set("KV_TYPE", static_cast<std::int64_t>(type));
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

}  // namespace

Result<Kernel> head_kernel(const HeadSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  define_kv(text.defines(), spec.kv_heads, spec.head_dim, spec.kv_type);
  define_pairs(text.defines(), spec.pairs, spec.pairing);
  text.defines().set("HEADS", spec.heads).set("Q_NORM", spec.q_norm).set("K_NORM", spec.k_norm);
  text.defines().set("ROPE", spec.q_rope).set("K_ROPE", spec.k_rope);
  if (spec.kv_heads > 0) {
    text.add_binding(BindingKind::storage_read_write);
    text.add_binding(BindingKind::storage_read_write);
  }
  return std::move(text).finish(
      "rope_kv.wgsl",
      fmt::format("heads {}+{} of {} {}", spec.heads, spec.kv_heads, spec.head_dim, type_name(spec.kv_type)),
      {32, 1, 1}, spec.head_dim * 4 + 256);
}

Grid head_grid(const HeadSpec& spec) {
  return {Extent{.count = spec.heads + 2 * spec.kv_heads}, Extent{.of = Extent::Of::rows}, Extent{}};
}

Result<Kernel> attention_kernel(const AttentionSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  define_kv(text.defines(), spec.kv_heads, spec.head_dim, spec.kv_type);
  define_pairs(text.defines(), spec.pairs, spec.pairing);
  text.defines()
      .set("QUERIES", spec.queries)
      .set("SPLIT", kSplit)
      .set("SINKS", spec.sinks)
      .set("SOFTCAP", spec.softcap);
  text.add_binding(BindingKind::storage_read);
  text.add_binding(BindingKind::storage_read);
  const std::uint32_t bytes = 4 * spec.queries * (spec.head_dim * (spec.sinks ? 2 : 1) + kSplit) + 256;
  return std::move(text).finish(
      "attention.wgsl",
      fmt::format("attention {}x{} of {} {}", spec.kv_heads, spec.queries, spec.head_dim, type_name(spec.kv_type)),
      {64, 1, 1}, bytes);
}

Grid attention_grid(const AttentionSpec& spec) {
  return {Extent{.count = spec.kv_heads}, Extent{.of = Extent::Of::rows}, Extent{.of = Extent::Of::splits}};
}

Result<Kernel> attention_join_kernel(const AttentionSpec& spec, const DeviceInfo& info) {
  KernelText text(info);
  text.defines().set("HEADS", spec.kv_heads * spec.queries).set("HEAD_DIM", spec.head_dim).set("SPLIT", kSplit);
  return std::move(text).finish("attention_join.wgsl", fmt::format("attention join of {}", spec.head_dim), {64, 1, 1},
                                0);
}

Grid attention_join_grid(const AttentionSpec& spec) {
  return {Extent{.count = spec.kv_heads * spec.queries}, Extent{.of = Extent::Of::rows}, Extent{}};
}

}  // namespace wisp::gpu
