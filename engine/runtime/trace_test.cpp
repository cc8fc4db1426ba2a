#include "runtime/trace.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/engine_harness.h"

namespace wisp::runtime {
namespace {

using nlohmann::json;

TEST(EngineTraceTest, IsJsonWhateverTheNames) {
  std::string text;
  {
    Trace trace([&](std::string_view bytes) { text += bytes; }, 1000);
    trace.op("odd \"name\"\\\n\x01", 3, 2500, 4750);
    trace.request(RequestId{7}, "queued", 0, 1500);  // began before the trace
  }
  const json events = json::parse(text);
  ASSERT_EQ(events.size(), 4u);  // two names of processes first
  EXPECT_EQ(events[2]["name"], "odd \"name\"\\\n\x01");
  EXPECT_EQ(events[2]["ts"], 1.5);
  EXPECT_EQ(events[2]["dur"], 2.25);
  EXPECT_EQ(events[2]["args"]["layer"], 3);
  EXPECT_EQ(events[3]["ts"], 0);
  EXPECT_EQ(events[3]["dur"], 0.5);
  EXPECT_EQ(events[3]["tid"], 7);
}

TEST(EngineTraceTest, ShowsStepsOpsAndTheLifeOfRequests) {
  test::FakeEngine engine(test::full_attention_fake(), 256, {.max_sequences = 1});
  std::string text;
  engine->start_trace([&](std::string_view bytes) { text += bytes; });
  const RequestId first = test::expect_value(engine->submit({.prompt = {1, 2, 3}, .max_new_tokens = 3}));
  ASSERT_TRUE(engine->submit({.prompt = {4}, .max_new_tokens = 2}));
  ASSERT_TRUE(engine->step());
  ASSERT_TRUE(engine->preempt(first));
  ASSERT_TRUE(engine->run());
  engine->stop_trace();
  const std::size_t size = text.size();
  ASSERT_TRUE(engine->submit({.prompt = {4}, .max_new_tokens = 1}));
  ASSERT_TRUE(engine->run());
  EXPECT_EQ(text.size(), size);  // stopped

  std::map<std::string, int> names;
  std::map<int, std::vector<std::string>> phases;  // by request
  for (const json& event : json::parse(text)) {
    names[event["name"]] += 1;
    if (event["ph"] == "X" && event["pid"] == 2) phases[event["tid"]].push_back(event["name"]);
    if (event["ph"] == "X") {
      EXPECT_GE(event["dur"].get<double>(), 0);
    }
  }
  EXPECT_EQ(names["step"], 5);
  EXPECT_EQ(names["sample"], 5);
  EXPECT_EQ(names["matmul"], 5);
  EXPECT_EQ(names["queue"], 5);
  EXPECT_EQ(phases[1], (std::vector<std::string>{"queued", "prompt", "generate", "preempted", "prompt", "generate"}));
  EXPECT_EQ(phases[2], (std::vector<std::string>{"queued", "prompt", "generate"}));
}

}  // namespace
}  // namespace wisp::runtime
