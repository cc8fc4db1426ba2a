#include "gpu/kernels/catalogue.h"

#include <algorithm>
#include <array>

#include "gpu/kernels/attention.h"
#include "gpu/kernels/matmul_id.h"
#include "gpu/kernels/matmul_ways.h"
#include "gpu/kernels/round_rows.h"
#include "gpu/kernels/row_ops.h"
#include "gpu/kernels/sampling.h"
#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {
namespace {

using gguf::TensorType;
using graph::Activation;
using graph::KvType;
using graph::RopePairing;

constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                               TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k, TensorType::q3_k,
                               TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};
constexpr std::uint32_t kWidth = 2048, kHidden = 8192, kHeads = 32, kKvHeads = 8, kHeadDim = 64;

class Catalogue {
 public:
  explicit Catalogue(const DeviceInfo& info) : info_(info) {}

  Result<std::vector<Kernel>> make() {
    for (const TensorType type : kTypes) WISP_CHECK(add_matrices(type));
    // Types of several kinds in one kernel, as Q4_K_M files have them.
    MatMulSpec mixed{.matrices = {}, .columns = kWidth, .norm = true};
    mixed.matrices = {{TensorType::q4_k, kWidth, true}, {TensorType::q4_k, 512, false}, {TensorType::q6_k, 512, true}};
    WISP_CHECK(add_ways({mixed, 1, true}));
    WISP_CHECK(add_ways({mixed, kManyRows, true}));
    for (const bool halves : {false, true}) {
      if (!halves || info_.features.shader_f16) WISP_CHECK(add(round_kernel(kWidth, halves, info_)));
    }
    for (const TensorType type : {TensorType::f16, TensorType::q4_k}) {
      const bool int8 = info_.features.packed_dot && !is_float_type(type);
      const MatMulSpec plain{.matrices = {{type, kWidth, true}}, .columns = kHidden, .int8 = int8};
      WISP_CHECK(add(generic_matvec_kernel(plain, {1, 8}, info_)));
      WISP_CHECK(add(matmul_id_kernel({.product = plain, .used = 8}, info_)));
    }
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) WISP_CHECK(add_heads(type));
    WISP_CHECK(add_row_ops());
    return std::move(kernels_);
  }

 private:
  Status add(Result<Kernel> kernel) {
    if (!kernel) return std::unexpected(kernel.error());
    const bool known = std::ranges::any_of(kernels_, [&](const Kernel& one) { return one.wgsl == kernel->wgsl; });
    if (!known) kernels_.push_back(std::move(*kernel));
    return {};
  }

  Status add_ways(const MatMulQuestion& question) {
    for (const MatMulWay& way : matmul_ways(question, info_)) {
      MatMulSpec spec = question.spec;
      spec.int8 = way.int8;
      spec.norm = spec.norm && !way.norm_apart();
      WISP_CHECK(add(matmul_kernel(spec, way, info_)));
    }
    return {};
  }

  Status add_matrices(TensorType type) {
    const bool int8 = info_.features.packed_dot && !is_float_type(type);
    WISP_CHECK(add(embed_kernel(type, kWidth, info_)));
    const bool halves = info_.features.shader_f16;
    MatMulSpec gate{.matrices = {{type, kHidden, false}, {type, kHidden, false}}, .columns = kWidth, .gated = true};
    gate.norm = true;
    gate.activation = Activation::silu;
    MatMulSpec down{.matrices = {{type, kWidth, true}}, .columns = kHidden, .residual = true};
    down.activation = Activation::gelu_tanh;
    WISP_CHECK(add_ways({gate, 1, int8}));
    WISP_CHECK(add_ways({down, 2, int8}));
    WISP_CHECK(add_ways({down, kManyRows, int8, halves}));
    return add_ways({gate, kManyRows, int8, halves});
  }

  Status add_heads(KvType type) {
    for (const bool norm : {false, true}) {
      const KeyOrder keys = norm ? KeyOrder::by_word : KeyOrder::by_position;
      for (const RopePairing pairing : {RopePairing::adjacent, RopePairing::split_halves}) {
        WISP_CHECK(add(head_kernel({.heads = kHeads,
                                    .kv_heads = kKvHeads,
                                    .head_dim = kHeadDim,
                                    .q_norm = norm,
                                    .k_norm = norm,
                                    .q_rope = true,
                                    .k_rope = true,
                                    .pairs = kHeadDim / 2,
                                    .pairing = pairing,
                                    .kv_type = type,
                                    .keys = keys},
                                   info_)));
      }
    }
    AttentionSpec attention{.kv_heads = kKvHeads, .queries = kHeads / kKvHeads, .head_dim = kHeadDim, .kv_type = type};
    for (const bool softcap : {false, true}) {
      for (const bool sinks : {false, true}) {
        attention.softcap = softcap;
        attention.sinks = sinks;
        attention.keys = sinks ? KeyOrder::by_position : KeyOrder::by_word;
        attention.pairs = sinks ? kHeadDim / 2 : 0;
        attention.listed = !softcap && !sinks;
        WISP_CHECK(add(attention_kernel(attention, info_)));
        WISP_CHECK(add(attention_join_kernel(attention, info_)));
        if (softcap != sinks) continue;
        WISP_CHECK(add(attention_tile_kernel(attention, info_)));
        WISP_CHECK(add(attention_tile_join_kernel(attention, info_)));
        if (!softcap) continue;
        for (const PlainPart part : {PlainPart::scores, PlainPart::softmax, PlainPart::values}) {
          WISP_CHECK(add(attention_plain_kernel(attention, part, info_)));
        }
      }
    }
    return {};
  }

  Status add_row_ops() {
    for (const Elementwise function :
         {Elementwise::scale, Elementwise::add, Elementwise::mul, Elementwise::add_bias, Elementwise::silu,
          Elementwise::gelu_tanh, Elementwise::softcap, Elementwise::select_rows}) {
      WISP_CHECK(add(elementwise_kernel(function, info_)));
    }
    for (const bool residual : {false, true}) {
      WISP_CHECK(add(norm_kernel(kWidth, kWidth, residual, info_)));
      WISP_CHECK(add(norm_kernel(kWidth, kHeadDim, residual, info_)));
      WISP_CHECK(add(layer_norm_kernel(kWidth, kWidth, residual, residual, info_)));
    }
    for (const auto& make :
         {adjust_kernel, mask_kernel, argmax_parts_kernel, argmax_join_kernel, draw_top_kernel, draw_all_kernel}) {
      WISP_CHECK(add(make(info_)));
    }
    return {};
  }

  const DeviceInfo& info_;
  std::vector<Kernel> kernels_;
};

}  // namespace

Result<std::vector<Kernel>> kernel_catalogue(const DeviceInfo& info) { return Catalogue(info).make(); }

}  // namespace wisp::gpu
