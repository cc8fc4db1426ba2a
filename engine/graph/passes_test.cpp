#include "graph/passes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace wisp::graph {
namespace {

// Builds graphs by hand, an op a call.
struct Draft {
  Graph graph;
  int weights = 0;

  ValueId value(std::uint32_t width = 8) {
    graph.values.push_back({"v", width, RowSet::step});
    return ValueId{static_cast<std::int32_t>(graph.values.size()) - 1};
  }
  void op(Op o, int layer = 0) {
    graph.ops.push_back(std::move(o));
    graph.op_layer.push_back(layer);
  }
  ValueId embed() {
    const ValueId out = value();
    op(EmbedOp{WeightId{weights++}, out}, -1);
    return out;
  }
  ValueId matmul(ValueId in) {
    MatMulOp o{};
    o.in = in;
    Projection projection;
    projection.weight = WeightId{weights++};
    projection.out = value();
    o.projections = {projection};
    op(o);
    return o.projections[0].out;
  }
  ValueId norm(ValueId in, std::uint32_t group = 8) {
    const ValueId out = value();
    op(NormOp{in, out, {WeightId{weights++}, 1e-5f, group}});
    return out;
  }
  ValueId bias(ValueId in) {
    const ValueId out = value();
    op(AddBiasOp{in, out, WeightId{weights++}});
    return out;
  }
  ValueId activation(ValueId in) {
    const ValueId out = value();
    op(ActivationOp{in, out, Activation::silu});
    return out;
  }
  ValueId mul(ValueId a, ValueId b) {
    const ValueId out = value();
    op(MulOp{a, b, out});
    return out;
  }
  ValueId add(ValueId a, ValueId b) {
    const ValueId out = value();
    op(AddOp{a, b, out});
    return out;
  }
  ValueId scale(ValueId in, float factor) {
    const ValueId out = value();
    op(ScaleOp{in, out, factor});
    return out;
  }
  ValueId rope(ValueId in) {
    const ValueId out = value();
    op(RopeOp{in, out, 4, 0});
    return out;
  }
  ValueId attention(ValueId q, ValueId k, ValueId v) {
    op(KvWriteOp{k, v, 0});
    const ValueId out = value();
    AttentionOp o{};
    o.q = q;
    o.out = out;
    o.layer = 0;
    o.heads = 2;
    op(o);
    return out;
  }
  // Runs one pass and returns the names of the ops that are left.
  std::vector<std::string> run(std::string_view pass, ValueId logits) {
    graph.logits = logits;
    std::ranges::find(fusion_passes(), pass, &Pass::name)->run(graph);
    EXPECT_EQ(graph.ops.size(), graph.op_layer.size());
    std::vector<std::string> names;
    for (const Op& o : graph.ops) names.push_back(op_name(o));
    return names;
  }
  template <class T>
  const T& get(std::size_t i) {
    return std::get<T>(graph.ops[i]);
  }
};

using Names = std::vector<std::string>;

TEST(Passes, ResidualJoinsTheMatmulBeforeIt) {
  Draft d;
  const ValueId x = d.embed();
  const ValueId y = d.matmul(x);
  const ValueId sum = d.add(x, y);
  EXPECT_EQ(d.run("residual", sum), (Names{"embed", "matmul+residual"}));
  EXPECT_EQ(d.get<MatMulOp>(1).residual, x);
  EXPECT_EQ(d.get<MatMulOp>(1).projections[0].out, sum);
}

TEST(Passes, ResidualLeavesAProductThatIsReadTwice) {
  Draft d;
  const ValueId y = d.matmul(d.embed());
  EXPECT_EQ(d.run("residual", d.add(y, y)), (Names{"embed", "matmul", "add"}));
  Draft e;
  const ValueId x = e.embed();
  const ValueId z = e.matmul(x);
  (void)e.add(x, z);
  EXPECT_EQ(e.run("residual", z), (Names{"embed", "matmul", "add"})) << "the product is the graph's result";
}

TEST(Passes, NormJoinsItsOnlyMatmul) {
  Draft d;
  const ValueId x = d.embed();
  EXPECT_EQ(d.run("norm-matmul", d.matmul(d.norm(x))), (Names{"embed", "norm+matmul"}));
  EXPECT_EQ(d.get<MatMulOp>(1).in, x);
  EXPECT_EQ(d.get<MatMulOp>(1).norm->group, 8u);
}

TEST(Passes, NormStaysWithTwoReadersOrOverHeads) {
  Draft d;
  const ValueId n = d.norm(d.embed());
  EXPECT_EQ(d.run("norm-matmul", d.add(d.matmul(n), d.matmul(n))), (Names{"embed", "norm", "matmul", "matmul", "add"}));
  Draft e;
  EXPECT_EQ(e.run("norm-matmul", e.matmul(e.norm(e.embed(), 4))), (Names{"embed", "norm", "matmul"}));
}

TEST(Passes, BiasAndActivationJoinInTheirOrder) {
  Draft d;
  EXPECT_EQ(d.run("bias-activation", d.activation(d.bias(d.matmul(d.embed())))), (Names{"embed", "matmul+bias+silu"}));
  Draft e;  // an activation before the bias is another function
  EXPECT_EQ(e.run("bias-activation", e.bias(e.activation(e.matmul(e.embed())))),
            (Names{"embed", "matmul+silu", "bias"}));
}

TEST(Passes, BiasStaysBehindAResidual) {
  Draft d;
  const ValueId x = d.embed();
  const ValueId out = d.bias(d.add(x, d.matmul(x)));
  (void)d.run("residual", out);
  EXPECT_EQ(d.run("bias-activation", out), (Names{"embed", "matmul+residual", "bias"}));
}

TEST(Passes, GateAndUpBecomeOne) {
  for (const bool swapped : {false, true}) {
    Draft d;
    const ValueId x = d.embed();
    const ValueId up_first = swapped ? d.matmul(x) : kNoValue;
    const ValueId gate = d.activation(d.bias(d.matmul(x)));
    const ValueId up = swapped ? up_first : d.matmul(x);
    const ValueId out = swapped ? d.mul(up, gate) : d.mul(gate, up);
    EXPECT_EQ(d.run("gate-up", out), (Names{"embed", "matmul(gate-up)"}));
    const MatMulOp& fused = d.get<MatMulOp>(1);
    EXPECT_NE(fused.projections[0].bias, kNoWeight) << "the gate is projection 0";
    EXPECT_EQ(fused.projections[1].bias, kNoWeight);
    EXPECT_EQ(fused.activation, Activation::silu);
    EXPECT_EQ(fused.out, out);
  }
}

TEST(Passes, GateAndUpOfDifferentInputsStay) {
  Draft d;
  const ValueId x = d.embed();
  const ValueId y = d.embed();
  const ValueId gate = d.activation(d.matmul(x));  // ops lie in the order of the calls
  const ValueId up = d.matmul(y);
  EXPECT_EQ(d.run("gate-up", d.mul(gate, up)), (Names{"embed", "embed", "matmul", "silu", "matmul", "mul"}));
}

TEST(Passes, AttentionTakesTheScaleOfItsQuery) {
  Draft d;
  const ValueId x = d.embed();
  const ValueId out = d.attention(d.scale(x, 0.125f), x, x);
  EXPECT_EQ(d.run("attention-scale", out), (Names{"embed", "kv-write", "attention"}));
  EXPECT_EQ(d.get<AttentionOp>(2).scale, 0.125f);
  EXPECT_EQ(d.get<AttentionOp>(2).q, x);
}

TEST(Passes, QkvTakesBiasHeadNormAndRope) {
  Draft d;
  const ValueId x = d.embed();
  const ValueId q = d.rope(d.norm(d.bias(d.matmul(x)), 4));
  const ValueId k = d.rope(d.matmul(x));
  const ValueId v = d.matmul(x);
  const ValueId out = d.attention(d.scale(q, 0.5f), k, v);
  EXPECT_EQ(d.run("qkv", out), (Names{"embed", "matmul(qkv)", "scale", "attention"}));
  const MatMulOp& fused = d.get<MatMulOp>(1);
  EXPECT_EQ(fused.kv_layer, 0);
  EXPECT_EQ(fused.projections[0].out, q);
  EXPECT_TRUE(fused.projections[0].head_norm);
  EXPECT_EQ(fused.projections[0].rope, 0);
  EXPECT_EQ(fused.projections[0].head_dim, 4u);
  EXPECT_EQ(fused.projections[1].out, kNoValue);
  EXPECT_EQ(fused.projections[1].rope, 0);
  EXPECT_EQ(fused.projections[2].rope, -1);
}

TEST(Passes, QkvLeavesKeysThatSomebodyElseReads) {
  Draft d;
  const ValueId x = d.embed();
  const ValueId q = d.matmul(x);
  const ValueId k = d.matmul(x);
  const ValueId v = d.matmul(x);
  const ValueId out = d.add(d.attention(q, k, v), k);
  EXPECT_EQ(d.run("qkv", out).size(), 7u);
}

TEST(Passes, AreSwitchedOffByName) {
  Graph graph;
  EXPECT_TRUE(fuse(graph, {"all"}));
  EXPECT_TRUE(fuse(graph, {"qkv", "residual"}));
  const Status unknown = fuse(graph, {"qvk"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::invalid_argument);
  EXPECT_NE(unknown.error().message.find("gate-up"), std::string::npos);
}

}  // namespace
}  // namespace wisp::graph
