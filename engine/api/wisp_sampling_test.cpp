// How tokens are chosen, through wisp.h: the order of samplers, DRY, logprobs, and grammars, alone and together.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

class CInterfaceSampling : public CInterface {
 protected:
  // The text that comes of a request.
  std::string text_of(const std::string& settings, const std::string& prompt = kStory) {
    Json json = Json::parse(settings);
    if (!json.contains("messages")) json["prompt"] = prompt;
    const std::uint64_t id = submit(engine, json.dump());
    return finish(engine)[id].text;
  }

  // What wisp_event_logprobs() tells of each token, with the token's "id" and "text".
  std::vector<Json> logprobs_of(const std::string& settings) {
    submit(engine, settings);
    std::vector<Json> told;
    while (wisp_engine_wait_event(engine.get(), event.get(), error.get()) == WISP_OK &&
           wisp_event_kind(event.get()) == WISP_EVENT_TOKEN) {
      EXPECT_OK(wisp_event_logprobs(event.get(), buffer.get(), error.get()));
      told.push_back(json());
      told.back()["id"] = wisp_event_token(event.get());
      told.back()["text"] = wisp_event_text(event.get());
    }
    EXPECT_EQ(wisp_event_kind(event.get()), WISP_EVENT_FINISH) << wisp_error_message(error.get());
    return told;
  }

  std::string text_of_token(std::int32_t token) {
    EXPECT_OK(wisp_model_detokenize(model.get(), &token, 1, 0, buffer.get(), error.get()));
    return wisp_buffer_text(buffer.get());
  }

  wisp_status refusal(const std::string& settings) {
    EXPECT_EQ(wisp_engine_submit(engine.get(), request_of(settings).get(), error.get()), 0u) << settings;
    return wisp_error_status(error.get());
  }

  ModelHandle model = open();
  EngineHandle engine = engine_of(model);
};

double sum_of(const Json& told) {
  double sum = 0.0;
  for (const Json& entry : told["top"]) sum += std::exp(entry["logprob"].get<double>());
  return sum;
}

TEST_F(CInterfaceSampling, TheOrderOfSamplersIsThatOfTheRequest) {
  const std::string greedy = text_of(R"({"temperature": 0, "max_tokens": 12})");
  const std::string wild = R"("temperature": 3, "top_k": 1, "seed": 2, "max_tokens": 12})";
  EXPECT_EQ(text_of("{" + wild), greedy);
  EXPECT_EQ(text_of(R"({"samplers": "top_k", )" + wild), greedy);
  EXPECT_EQ(text_of(R"({"samplers": ["temperature", "top_k"], )" + wild), greedy);
  EXPECT_NE(text_of(R"({"samplers": ["temperature"], )" + wild), greedy);  // top_k does not run
  EXPECT_EQ(text_of(R"({"samplers": [], "temperature": 0, "max_tokens": 12})"), greedy);
  // What temperature makes of the distribution before min_p sees it.
  const std::string both = R"("temperature": 3, "min_p": 0.3, "top_p": 1, "seed": 2, "max_tokens": 12})";
  EXPECT_NE(text_of(R"({"samplers": ["temperature", "min_p"], )" + both),
            text_of(R"({"samplers": "min_p;temperature", )" + both));
  const RequestHandle request(wisp_request_create());
  EXPECT_EQ(wisp_request_set_text(request.get(), "samplers", "top_k;topp", WISP_TO_NUL, error.get()),
            WISP_ERROR_INVALID_ARGUMENT);
  for (const char* const known : {"topp", "dry", "typ_p", "top_n_sigma", "xtc", "temperature"}) {
    EXPECT_NE(std::string(wisp_error_message(error.get())).find(known), std::string::npos) << known;
  }
}

// No repetition reaches across a colon, so that the usual breakers leave this text as it is.
TEST_F(CInterfaceSampling, DryHeedsItsBreakers) {
  const std::string prompt = "The cat: a dog. The dog: a cat. The cat: a dog. The dog: a";
  const auto first = [&](const std::string& more) {
    return text_of(R"({"temperature": 0, "max_tokens": 1)" + more + "}", prompt);
  };
  const std::string free = first("");
  EXPECT_EQ(first(R"(, "dry_multiplier": 50)"), free);
  EXPECT_EQ(first(R"(, "dry_multiplier": 50, "dry_breakers": ["\n", ":", "\"", "*"])"), free);
  EXPECT_NE(first(R"(, "dry_multiplier": 50, "dry_breakers": [])"), free);
  EXPECT_NE(first(R"(, "dry_multiplier": 50, "dry_breakers": ["cat sat"])"), free);
  EXPECT_EQ(first(R"(, "dry_multiplier": 50, "dry_breakers": "[\"cat\", \": a\"]")"), free);
  EXPECT_NE(first(R"(, "dry_multiplier": 50, "samplers": ["dry"], "dry_breakers": [])"), free);
  EXPECT_EQ(first(R"(, "dry_multiplier": 50, "samplers": ["top_k"], "dry_breakers": [])"), free);
  const std::string longest = R"({"prompt": "x", "dry_multiplier": 1, "dry_breakers": [")";
  EXPECT_EQ(refusal(longest + std::string(65, 'x') + "\"]}"), WISP_ERROR_LIMIT);
  EXPECT_EQ(std::string(wisp_error_message(error.get())).rfind("dry_breakers", 0), 0u);
}

TEST_F(CInterfaceSampling, DryInAChat) {
  const std::string messages = R"("messages": [{"role": "user", "content": "Tell me a story about a dog."}])";
  const std::string chat = "{" + messages + R"(, "temperature": 0, "max_tokens": 40)";
  const std::string dry = R"(, "dry_multiplier": 50, "dry_allowed_length": 1)";
  const std::string plain = text_of(chat + "}"), held = text_of(chat + dry + "}");
  EXPECT_NE(held, plain);
  EXPECT_NE(text_of(chat + dry + R"(, "dry_breakers": ["."]})"), held);
  // The same as of the ids that the messages become.
  ASSERT_OK(wisp_model_chat_prompt(model.get(), R"([{"role": "user", "content": "Tell me a story about a dog."}])",
                                   WISP_TO_NUL, 0, buffer.get(), error.get()));
  const RequestHandle request = request_of(R"({"temperature": 0, "max_tokens": 40)" + dry + "}");
  const std::int32_t* const ids = wisp_buffer_ids(buffer.get());
  ASSERT_OK(wisp_request_set_prompt(request.get(), ids, wisp_buffer_id_count(buffer.get()), error.get()));
  const std::uint64_t by_ids = wisp_engine_submit(engine.get(), request.get(), error.get());
  EXPECT_EQ(finish(engine)[by_ids].text, held);
}

TEST_F(CInterfaceSampling, LogprobsBeforeAndAfterTheChain) {
  const std::string base = R"({"prompt": "Once upon a time", "seed": 4, "max_tokens": 6, "top_k": 3, "logprobs": 4096)";
  const std::vector<Json> before = logprobs_of(base + "}");
  const std::vector<Json> after = logprobs_of(base + R"(, "logprobs_after": true})");
  const std::vector<Json> massed = logprobs_of(base + R"(, "logprobs_mass": 0.5})");
  ASSERT_EQ(before.size(), 6u);
  ASSERT_EQ(after.size(), 6u);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i]["id"], after[i]["id"]);  // what is told changes nothing
    EXPECT_EQ(before[i]["top"].size(), 4096u);
    EXPECT_LE(after[i]["top"].size(), 3u);
    EXPECT_NEAR(sum_of(before[i]), 1.0, 1e-4);
    EXPECT_NEAR(sum_of(after[i]), 1.0, 1e-4);
    // As few as hold the half.
    const std::size_t n = massed[i]["top"].size();
    EXPECT_GE(sum_of(massed[i]), 0.5);
    EXPECT_LT(sum_of(massed[i]) - std::exp(massed[i]["top"][n - 1]["logprob"].get<double>()), 0.5);
    EXPECT_EQ(massed[i]["top"][n - 1], before[i]["top"][n - 1]);
  }
  EXPECT_EQ(refusal(R"({"prompt": "x", "logprobs": 3, "logprobs_mass": 1.5})"), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(R"({"prompt": "x", "logprobs_after": true})"), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(R"({"prompt": "x", "logprobs_mass": 0.5})"), WISP_ERROR_INVALID_ARGUMENT);
}

// The model's own distribution knows nothing of the grammar; the one that is drawn from holds nothing else.
TEST_F(CInterfaceSampling, LogprobsUnderAConstraint) {
  const std::string base =
      R"json({"prompt": "Her number is ", "seed": 1, "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "logprobs": 4096,
          "regex": "[0-9]{3}-(cat|dog)")json";
  const std::vector<Json> before = logprobs_of(base + "}");
  const std::vector<Json> after = logprobs_of(base + R"(, "logprobs_after": true})");
  EXPECT_EQ(wisp_event_finish_reason(event.get()), WISP_FINISH_END_TOKEN);
  EXPECT_EQ(wisp_event_figure(event.get(), WISP_FIGURE_FORCED_TOKENS), 0u);  // each has a probability
  ASSERT_GE(after.size(), 5u);
  ASSERT_EQ(before.size(), after.size());
  std::string text;
  for (std::size_t i = 0; i < after.size(); ++i) {
    text += after[i]["text"];
    EXPECT_EQ(before[i]["id"], after[i]["id"]);
    EXPECT_NEAR(sum_of(before[i]), 1.0, 1e-4);
    EXPECT_NEAR(sum_of(after[i]), 1.0, 1e-4);
    EXPECT_LE(before[i]["logprob"].get<double>(), after[i]["logprob"].get<double>() + 1e-6);
    // A byte of a digit is spelled <0x..> by this vocabulary where no token has it.
    EXPECT_LT(after[i]["top"].size(), 64u);
    EXPECT_EQ(std::ranges::count(after[i]["top"], after[i]["id"], [](const Json& entry) { return entry["token"]; }), 1);
  }
  for (const Json& entry : after[0]["top"]) {
    const std::string shown = text_of_token(entry["token"]);
    EXPECT_TRUE(std::ranges::all_of(shown, [](char c) { return c >= '0' && c <= '9'; })) << shown;
  }
  EXPECT_TRUE(text.substr(3) == "-cat" || text.substr(3) == "-dog") << text;
}

TEST_F(CInterfaceSampling, AGrammarBeginsAtItsTrigger) {
  const std::string greedy = R"("temperature": 0, "max_tokens": 30)";
  const std::string plain = text_of("{" + greedy + "}");
  const std::size_t named = plain.find(" named Lily");
  ASSERT_NE(named, std::string::npos) << plain;
  const std::string before = plain.substr(0, named);
  EXPECT_EQ(text_of("{" + greedy + R"(, "grammar": "root ::= \" named Tom!\"", "triggers": [" named"]})"),
            before + " named Tom!");
  const std::string behind = R"(, "grammar": "root ::= \" Tom!\"", "triggers_in_grammar": false, "triggers": )";
  EXPECT_EQ(text_of("{" + greedy + behind + R"([" no such text", " named"]})"), before + " named Tom!");
  EXPECT_EQ(text_of("{" + greedy + behind + R"("[\" named\"]"})"), before + " named Tom!");
  const std::vector<std::int32_t> ids = tokens_of(model, "girl named", 0);
  EXPECT_EQ(text_of("{" + greedy + behind + "[" + std::to_string(ids.back()) + "]}"), before + " named Tom!");
  EXPECT_EQ(text_of("{" + greedy + behind + R"(["never said"]})"), plain);
  EXPECT_EQ(text_of("{" + greedy + behind + "[]}"), " Tom!");  // from the start
  EXPECT_EQ(refusal(R"({"prompt": "x", "triggers": ["y"]})"), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(R"({"prompt": "x", "regex": "a", "triggers": ["y"]})"), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(R"({"prompt": "x", "regex": "a", "triggers": [4096]})"), WISP_ERROR_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace wisp::test
