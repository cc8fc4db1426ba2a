// What the engine makes of the memory that its backend has.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/log.h"
#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::greedy;
using test::hear_tokens;
using test::Heard;
using test::random_tokens;

// One layer with a head of 32 values: a block of 32 positions takes 4,096 bytes as f16 and 2,176 as q8_0.
constexpr std::uint64_t kHalf = 4096, kNarrow = 2176;

std::string remarks;

class EngineSetUpTest : public testing::Test {
 protected:
  EngineSetUpTest() {
    remarks.clear();
    set_log_sink([](LogLevel, std::string_view text) { remarks += text; });
  }
  ~EngineSetUpTest() override {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  // Two sequences of at most 512 positions want 32 blocks.
  Result<std::unique_ptr<Engine>> engine_with(std::uint64_t room, EngineOptions options = {}) {
    controls_->kv_room = room;
    options.max_sequences = 2;
    return Engine::create(gguf::File{}, model_.graph(), 512, std::move(options),
                          std::make_unique<test::FakeExecutor>(model_, controls_));
  }

  test::FakeModel model_ = test::full_attention_fake();
  std::shared_ptr<test::FakeControls> controls_ = std::make_shared<test::FakeControls>();
};

TEST_F(EngineSetUpTest, TakesWhatItWantsWhereThereIsEnough) {
  const auto engine = expect_value(engine_with(32 * kHalf, {.kv_may_narrow = true}));
  EXPECT_EQ(engine->options().kv_blocks, std::vector<std::uint32_t>{32});
  EXPECT_EQ(controls_->kv_type, graph::KvType::f16);
  EXPECT_EQ(remarks, "");
}

TEST_F(EngineSetUpTest, NarrowsBeforeTextsHaveToBeShorter) {
  const auto engine = expect_value(engine_with(32 * kNarrow, {.kv_may_narrow = true}));
  EXPECT_EQ(engine->options().kv_blocks, std::vector<std::uint32_t>{32});
  EXPECT_EQ(engine->options().kv_type, graph::KvType::q8_0);
  EXPECT_EQ(controls_->kv_type, graph::KvType::q8_0);
  EXPECT_NE(remarks.find("q8_0"), std::string::npos) << remarks;
  EXPECT_EQ(remarks.find("end early"), std::string::npos) << remarks;
}

TEST_F(EngineSetUpTest, ShortensWhereItMayNotNarrowOrThatIsNotEnough) {
  const auto half = expect_value(engine_with(21 * kHalf));
  EXPECT_EQ(half->options().kv_blocks, std::vector<std::uint32_t>{20});  // two of ten
  EXPECT_EQ(controls_->kv_type, graph::KvType::f16);
  EXPECT_NE(remarks.find("end early"), std::string::npos) << remarks;
  controls_ = std::make_shared<test::FakeControls>();
  const auto narrow = expect_value(engine_with(21 * kNarrow, {.kv_may_narrow = true}));
  EXPECT_EQ(narrow->options().kv_blocks, std::vector<std::uint32_t>{20});
  EXPECT_EQ(controls_->kv_type, graph::KvType::q8_0);
}

TEST_F(EngineSetUpTest, TextsAreAsLongAsTheMemoryThatWasGiven) {
  const auto engine = expect_value(engine_with(3 * kHalf));
  EXPECT_EQ(engine->options().kv_blocks, std::vector<std::uint32_t>{2});
  const std::vector<TokenId> prompt = random_tokens(20, 1);
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = prompt, .sampling = greedy()}, heard)));
  EXPECT_EQ(engine->submit({.prompt = random_tokens(65, 1)}).error().code, Code::limit);
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.reason, FinishReason::context);
  EXPECT_EQ(heard.tokens, model_.continue_greedily(prompt, 64 - 20 + 1));
}

TEST_F(EngineSetUpTest, SaysWhereThereIsNothingToGive) {
  const Error nothing = engine_with(kHalf - 1).error();
  EXPECT_EQ(nothing.code, Code::out_of_memory);
  EXPECT_NE(nothing.message.find("fake"), std::string::npos) << nothing.message;
  EXPECT_EQ(engine_with(0).error().code, Code::out_of_memory);
  EXPECT_EQ(engine_with(4 * kHalf, {.kv_blocks = {5}}).error().code, Code::out_of_memory);
}

TEST_F(EngineSetUpTest, ALimitCountsEverythingAndATenthStaysFree) {
  controls_->weight_bytes = 400'000;
  const auto arena = [this] {
    graph::Graph fused = model_.graph();
    return graph::make_plan(std::make_shared<const graph::Graph>(std::move(fused)), 512, 64)->arena_bytes;
  }();
  constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  const auto engine = expect_value(engine_with(kUnlimited, {.memory_limit = 600'000}));
  EXPECT_LE(400'000 + arena + engine->options().kv_blocks[0] * kHalf, 540'000u);
  EXPECT_GT(400'000 + arena + (engine->options().kv_blocks[0] + 2) * kHalf, 540'000u);
  controls_ = std::make_shared<test::FakeControls>();
  controls_->weight_bytes = 400'000;
  const Error over = engine_with(kUnlimited, {.memory_limit = 440'000}).error();
  EXPECT_EQ(over.code, Code::out_of_memory);
  EXPECT_NE(over.message.find("limit"), std::string::npos) << over.message;
  // Its table has 50 rows of 8 floats: known before anything is loaded.
  controls_ = std::make_shared<test::FakeControls>();
  EXPECT_EQ(engine_with(kUnlimited, {.memory_limit = 1'600}).error().code, Code::out_of_memory);
  EXPECT_FALSE(controls_->loaded);
}

// A device in a page finds out what it has only while it is polled.
TEST_F(EngineSetUpTest, ADeviceTellsItsMemoryLater) {
  for (const bool can_wait : {true, false}) {
    controls_ = std::make_shared<test::FakeControls>();
    controls_->kv_room = 32 * kNarrow;
    const auto device = std::make_shared<test::DeviceControls>();
    device->can_wait = can_wait;
    device->polls_to_tell_room = 9;
    device->polls_to_start = 4;
    const auto engine =
        expect_value(Engine::create(gguf::File{}, model_.graph(), 512, {.max_sequences = 2, .kv_may_narrow = true},
                                    std::make_unique<test::FakeDevice>(model_, controls_, device)));
    EXPECT_FALSE(expect_value(engine->ready()));
    EXPECT_EQ(controls_->kv_type, std::nullopt);
    Heard heard;
    ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}, .sampling = greedy(), .max_new_tokens = 50}, heard)));
    while (expect_value(engine->step())) {
    }
    EXPECT_TRUE(expect_value(engine->ready()));
    EXPECT_EQ(controls_->kv_type, graph::KvType::q8_0);
    EXPECT_EQ(heard.tokens, model_.continue_greedily({1}, 50));
    EXPECT_EQ(controls_->broken_rule, std::nullopt);
  }
}

TEST_F(EngineSetUpTest, ADeviceWithoutMemoryEndsWhoWaitsForIt) {
  controls_->kv_room = 10;
  const auto device = std::make_shared<test::DeviceControls>();
  device->polls_to_tell_room = 3;
  const auto engine = expect_value(Engine::create(gguf::File{}, model_.graph(), 512, {},
                                                  std::make_unique<test::FakeDevice>(model_, controls_, device)));
  Heard heard;
  ASSERT_TRUE(engine->submit(hear_tokens({.prompt = {1}}, heard)));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(heard.error.code, Code::out_of_memory);
  EXPECT_EQ(engine->ready().error().code, Code::out_of_memory);
}

}  // namespace
}  // namespace wisp::runtime
