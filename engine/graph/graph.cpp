#include "graph/graph.h"

namespace wisp::graph {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

std::string activation_name(Activation function) {
  switch (function) {
    case Activation::none: return "none";
    case Activation::silu: return "silu";
    case Activation::gelu_tanh: return "gelu";
  }
  return "?";
}

std::string matmul_name(const MatMulOp& op) {
  std::string name = op.norm ? "norm+matmul" : "matmul";
  if (op.combine == Combine::qkv) return name + "(qkv)";
  if (op.combine == Combine::gated) return name + "(gate-up)";
  if (!op.projections.empty() && op.projections[0].bias != kNoWeight) name += "+bias";
  if (op.activation != Activation::none) name += "+" + activation_name(op.activation);
  if (op.residual != kNoValue) name += "+residual";
  return name;
}

}  // namespace

std::string op_name(const Op& op) {
  return std::visit(Overloaded{
                        [](const EmbedOp&) -> std::string { return "embed"; },
                        [](const ScaleOp&) -> std::string { return "scale"; },
                        [](const NormOp&) -> std::string { return "norm"; },
                        [](const AddBiasOp&) -> std::string { return "bias"; },
                        [](const AddOp&) -> std::string { return "add"; },
                        [](const MulOp&) -> std::string { return "mul"; },
                        [](const ActivationOp& o) -> std::string { return activation_name(o.function); },
                        [](const RopeOp&) -> std::string { return "rope"; },
                        [](const KvWriteOp&) -> std::string { return "kv-write"; },
                        [](const AttentionOp&) -> std::string { return "attention"; },
                        [](const SoftcapOp&) -> std::string { return "softcap"; },
                        [](const SelectRowsOp&) -> std::string { return "select-rows"; },
                        [](const MatMulOp& o) { return matmul_name(o); },
                    },
                    op);
}

std::vector<ValueId> op_inputs(const Op& op) {
  using Ids = std::vector<ValueId>;
  return std::visit(Overloaded{
                        [](const EmbedOp&) { return Ids{}; },
                        [](const AddOp& o) { return Ids{o.a, o.b}; },
                        [](const MulOp& o) { return Ids{o.a, o.b}; },
                        [](const KvWriteOp& o) { return Ids{o.k, o.v}; },
                        [](const AttentionOp& o) { return Ids{o.q}; },
                        [](const MatMulOp& o) { return o.residual == kNoValue ? Ids{o.in} : Ids{o.in, o.residual}; },
                        [](const auto& o) { return Ids{o.in}; },
                    },
                    op);
}

std::vector<ValueId> op_outputs(const Op& op) {
  using Ids = std::vector<ValueId>;
  return std::visit(Overloaded{
                        [](const KvWriteOp&) { return Ids{}; },
                        [](const MatMulOp& o) {
                          if (o.combine == Combine::gated) return Ids{o.out};
                          Ids ids;
                          for (const Projection& projection : o.projections) {
                            if (projection.out != kNoValue) ids.push_back(projection.out);
                          }
                          return ids;
                        },
                        [](const auto& o) { return Ids{o.out}; },
                    },
                    op);
}

}  // namespace wisp::graph
