#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "graph/passes.h"
#include "graph/scalar_executor.h"
#include "quant/random_blocks.h"
#include "tests/model_runner.h"
#include "tests/random_model.h"

namespace wisp::model {
namespace {

using gguf::Value;

// The model of a shape whose metadata `change` has changed.
template <class Change>
Result<Model> changed(const test::RandomModelShape& shape, const Change& change, const ContextOptions& options = {}) {
  gguf::Metadata metadata = test::random_metadata(shape);
  change(metadata);
  const std::vector<std::byte> bytes = test::write_random_model(shape, metadata);
  return Model::from_file(test::open_bytes(bytes), options);
}

Result<Model> with(const std::string& key, Value value) {
  return changed({}, [&](gguf::Metadata& metadata) { metadata.set(key, value); });
}

void expect_refused(const Result<Model>& model, Code code, const std::string& words) {
  ASSERT_FALSE(model) << "expected a refusal that mentions " << words;
  EXPECT_EQ(model.error().code, code) << model.error().message;
  EXPECT_NE(model.error().message.find(words), std::string::npos) << model.error().message;
}

TEST(Model, ReadsWhatEveryArchitectureShares) {
  for (const test::RandomModelShape& shape : test::shapes_of_every_architecture()) {
    const test::RandomModel random = test::random_model(shape);
    const Result<Model> model = Model::from_file(random.file, {});
    ASSERT_TRUE(model) << shape.architecture << ": " << model.error().message;
    EXPECT_EQ(model->hyperparameters().layers, shape.layers);
    EXPECT_EQ(model->hyperparameters().head_dim, shape.head_dim);
    EXPECT_EQ(model->hyperparameters().vocabulary, shape.vocabulary);
    EXPECT_EQ(model->context(), shape.context);
    EXPECT_EQ(model->graph().kv.layers.size(), shape.layers);
    EXPECT_EQ(model->graph().ops.size(), model->graph().op_layer.size());
    std::uint64_t elements = 0;
    for (const gguf::TensorInfo& tensor : random.file.tensors) elements += tensor.elements();
    EXPECT_EQ(model->parameters(), elements) << "every tensor of these files is used";
  }
}

TEST(Model, KnowsTheArchitecturesByName) {
  const std::vector<std::string_view> known = known_architectures();
  EXPECT_TRUE(std::ranges::is_sorted(known));
  EXPECT_EQ(known.size(), test::shapes_of_every_architecture().size());
  const Result<Model> model = with("general.architecture", Value::text("mamba"));
  expect_refused(model, Code::unsupported, "'mamba'");
  for (const std::string_view name : known) EXPECT_NE(model.error().message.find(name), std::string::npos);
}

TEST(Model, RefusesHyperparametersOutOfRange) {
  expect_refused(with("llama.block_count", Value::u32(0)), Code::invalid_file, "llama.block_count");
  expect_refused(with("llama.block_count", Value::u32(1u << 31)), Code::invalid_file, "llama.block_count");
  expect_refused(with("llama.block_count", Value::u32(3)), Code::invalid_file, "blk.2.attn_norm.weight");
  expect_refused(with("llama.embedding_length", Value::u32(0)), Code::invalid_file, "llama.embedding_length");
  expect_refused(with("llama.feed_forward_length", Value::u32(97)), Code::invalid_file, "blk.0.ffn_gate.weight");
  expect_refused(with("llama.attention.head_count", Value::u32(3)), Code::invalid_file, "head_count");
  expect_refused(with("llama.attention.head_count_kv", Value::u32(3)), Code::invalid_file, "head_count_kv");
  expect_refused(with("llama.attention.value_length", Value::u32(8)), Code::unsupported, "value_length");
  expect_refused(with("llama.attention.layer_norm_rms_epsilon", Value::f32(std::nanf(""))), Code::invalid_file,
                 "epsilon");
  expect_refused(with("llama.attention.layer_norm_rms_epsilon", Value::f32(-1.0f)), Code::invalid_file, "epsilon");
  expect_refused(with("llama.rope.dimension_count", Value::u32(15)), Code::invalid_file, "dimension_count");
  expect_refused(with("llama.rope.dimension_count", Value::u32(18)), Code::invalid_file, "dimension_count");
  expect_refused(with("llama.rope.freq_base", Value::f32(std::nanf(""))), Code::invalid_file, "freq_base");
  expect_refused(with("llama.rope.scaling.type", Value::text("spiral")), Code::unsupported, "'spiral'");
  expect_refused(with("llama.expert_count", Value::u32(8)), Code::unsupported, "expert");
  expect_refused(with("tokenizer.ggml.tokens", Value::strings(std::vector<std::string>(41, "x"))), Code::invalid_file,
                 "41");
}

TEST(Model, NeedsItsKeys) {
  for (const char* key : {"block_count", "context_length", "embedding_length", "feed_forward_length"}) {
    const auto without = [&](gguf::Metadata& metadata) {
      gguf::Metadata kept;
      for (const auto& [name, value] : metadata.entries()) {
        if (name != "llama." + std::string(key)) kept.set(name, value);
      }
      metadata = kept;
    };
    expect_refused(changed({}, without), Code::not_found, key);
  }
}

TEST(Model, TakesPerLayerCountsThatAgree) {
  const std::string key = "llama.attention.head_count_kv";
  EXPECT_TRUE(with(key, Value::integers(gguf::ValueType::u32, {2, 2})));
  expect_refused(with(key, Value::integers(gguf::ValueType::u32, {2, 1})), Code::unsupported, key);
}

TEST(Model, ContextIsTheTrainedOneUpToADefault) {
  EXPECT_EQ(with("llama.context_length", Value::u32(100'000))->context(), kDefaultContext);
  EXPECT_EQ(with("llama.context_length", Value::u32(100))->context(), 100u);
  EXPECT_EQ(changed({}, [](auto&) {}, {.context = 77})->context(), 77u);
}

TEST(Model, AFusedProjectionIsThreeSlices) {
  test::RandomModel split = test::random_model({.seed = 4});
  test::RandomModel fused = test::random_model({.fused_qkv = true, .seed = 4});
  const std::array<std::int32_t, 3> tokens = {5, 1, 9};
  const auto run = [&](gguf::File& file) {
    return test::ModelRunner(file, graph::make_scalar_executor(graph::Arithmetic::exact)).feed(tokens);
  };
  EXPECT_EQ(run(fused.file), run(split.file));
}

TEST(Model, GroupsLayersByWindow) {
  const auto groups = [](const test::RandomModelShape& shape, ContextOptions options) {
    return changed(shape, [](auto&) {}, options)->graph().kv.groups;
  };
  // Gemma 3 here: a window of 40, every sixth layer global.
  const test::RandomModelShape gemma{.architecture = "gemma3", .layers = 7, .tied = true};
  const Model model = *changed(gemma, [](auto&) {});
  ASSERT_EQ(model.graph().kv.groups.size(), 2u);
  for (std::size_t layer = 0; layer < 7; ++layer) {
    const graph::KvGroup& group =
        model.graph().kv.groups[static_cast<std::size_t>(model.graph().kv.layers[layer].group)];
    EXPECT_EQ(group.window.has_value(), layer != 5) << layer;
  }
  // An imposed window narrows what is wider, and gives sinks to nothing else.
  const std::vector<graph::KvGroup> wide = groups(gemma, {.window = 64, .sinks = 4});
  ASSERT_EQ(wide.size(), 2u);
  EXPECT_EQ(wide[0].window, 40u);
  EXPECT_EQ(wide[0].sinks, 0u);
  EXPECT_EQ(wide[1].window, 64u);
  EXPECT_EQ(wide[1].sinks, 4u);
  const std::vector<graph::KvGroup> narrow = groups(gemma, {.window = 16, .sinks = 4});
  ASSERT_EQ(narrow.size(), 1u);
  EXPECT_EQ(narrow[0].window, 16u);
  EXPECT_EQ(narrow[0].sinks, 4u);
}

TEST(Model, RefusesWindowsThatMakeNoSense) {
  const auto options = [](ContextOptions o) { return changed({}, [](auto&) {}, o); };
  expect_refused(options({.window = 0}), Code::invalid_argument, "window");
  expect_refused(options({.sinks = 4}), Code::invalid_argument, "window");
  expect_refused(options({.window = ~0u}), Code::invalid_argument, "window");
  expect_refused(options({.window = 8, .sinks = ~0u}), Code::invalid_argument, "sinks");
  expect_refused(options({.context = ~0u}), Code::invalid_argument, "context");
}

// Any number may stand at any key: the model is refused, or it runs.
TEST(Model, SurvivesRandomHyperparameters) {
  quant::Random random(11);
  const std::array<std::int64_t, 16> odd = {
      0, 1, 2, 3, 4, 5, 16, 17, 64, 96, 255, 4096, 1ll << 24, 1ll << 31, (1ll << 32) - 1, 1ll << 62};
  int accepted = 0;
  for (int round = 0; round < 600; ++round) {
    const std::vector<test::RandomModelShape> shapes = test::shapes_of_every_architecture();
    test::RandomModelShape shape = shapes[random.below(shapes.size())];
    shape.layers = 1;
    gguf::Metadata metadata = test::random_metadata(shape);
    const std::string prefix = shape.architecture + ".";
    const std::array<std::string, 8> more = {"rope.dimension_count",
                                             "rope.freq_base",
                                             "rope.scaling.factor",
                                             "rope.scaling.original_context_length",
                                             "attention.scale",
                                             "attention.sliding_window",
                                             "attention.sliding_window_pattern",
                                             "attn_logit_softcapping"};
    for (int changes = 0; changes < 2; ++changes) {
      const auto& entries = metadata.entries();
      const std::size_t which = random.below(entries.size() + more.size());
      const std::string key = which < entries.size() ? entries[which].first : prefix + more[which - entries.size()];
      const std::int64_t value = odd[random.below(odd.size())];
      switch (random.below(4)) {
        case 0: metadata.set(key, Value::integers(gguf::ValueType::i64, {value, odd[random.below(odd.size())]})); break;
        case 1: metadata.set(key, Value::f32(random.uniform() * static_cast<float>(value))); break;
        default: metadata.set(key, Value{gguf::ValueType::u64, static_cast<std::uint64_t>(value)}); break;
      }
    }
    const std::vector<std::byte> bytes = test::write_random_model(shape, metadata);
    gguf::File file = test::open_bytes(bytes);
    ContextOptions options;
    if (random.below(2) == 0) options = {.window = 8, .sinks = 3};
    if (!Model::from_file(file, options)) continue;
    ++accepted;
    test::ModelRunner runner(file, graph::make_scalar_executor(graph::Arithmetic::exact), {.context = options});
    EXPECT_EQ(runner.feed(std::array{1, 2, 3}, 70).size(), 3 * runner.vocabulary());
  }
  EXPECT_GT(accepted, 20);
  EXPECT_LT(accepted, 580);
}

TEST(Model, FusesALlamaLayerToFiveOps) {
  for (const test::RandomModelShape& shape : test::shapes_of_every_architecture()) {
    const test::RandomModel random = test::random_model(shape);
    graph::Graph graph = Model::from_file(random.file, {})->graph();
    test::must(graph::fuse(graph, {}));
    const bool gemma = shape.architecture.starts_with("gemma");  // post norms: four ops more
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
      EXPECT_EQ(std::ranges::count(graph.op_layer, static_cast<int>(layer)), gemma ? 9 : 5) << shape.architecture;
    }
  }
}

}  // namespace
}  // namespace wisp::model
