// Answers and conversations with tools through the C interface.
#include <gtest/gtest.h>

#include <string>

#include "tests/c_interface.h"
#include "tests/command.h"
#include "tests/template_model.h"

namespace wisp::test {
namespace {

using AnswerHandle = std::unique_ptr<wisp_answer, Destroy<wisp_answer, wisp_answer_destroy>>;

constexpr const char* kTools =
    R"([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object",
        "properties": {"place": {"type": "string"}}}}}])";
const std::string kQuestion =
    std::string(R"({"messages": [{"role": "user", "content": "Where?"}], "tools": )") + kTools + "}";

class CInterfaceAnswer : public CInterface {
 protected:
  void SetUp() override {
    write_model_with_template(folder_ / "hermes.gguf", kHermes);
    model.reset(wisp_model_open_file((folder_ / "hermes.gguf").c_str(), error.get()));
    ASSERT_NE(model, nullptr) << wisp_error_message(error.get());
  }

  AnswerHandle answer_to(const std::string& request) {
    AnswerHandle made(wisp_answer_create(model.get(), request.data(), request.size(), error.get()));
    EXPECT_NE(made, nullptr) << wisp_error_message(error.get());
    return made;
  }

  ModelHandle model;

 private:
  TemporaryFolder folder_;
};

TEST_F(CInterfaceAnswer, IsTakenApartHoweverItIsCut) {
  const std::string text =
      "<think>Hm.</think>I look.<tool_call>\n{\"name\": \"look\", \"arguments\": {\"place\": \"süd\"}}\n</tool_call>";
  for (const std::size_t cut : {std::size_t{1}, std::size_t{3}, text.size()}) {
    const AnswerHandle answer = answer_to(kQuestion);
    std::string content, reasoning, arguments, name;
    int ends = 0;
    const auto take = [&] {
      for (const Json& one : json()) {
        if (one["type"] == "content") content += one["text"].get<std::string>();
        if (one["type"] == "reasoning") reasoning += one["text"].get<std::string>();
        if (one["type"] == "call_begin") name = one["name"];
        if (one["type"] == "arguments") arguments += one["text"].get<std::string>();
        if (one["type"] == "call_end") ++ends;
      }
    };
    for (std::size_t at = 0; at < text.size(); at += cut) {
      const std::string piece = text.substr(at, cut);
      ASSERT_OK(wisp_answer_feed(answer.get(), piece.data(), piece.size(), buffer.get(), error.get()));
      take();
    }
    ASSERT_OK(wisp_answer_finish(answer.get(), buffer.get(), error.get()));
    take();
    EXPECT_EQ(content, "I look.");
    EXPECT_EQ(reasoning, "Hm.");
    EXPECT_EQ(name, "look");
    EXPECT_EQ(Json::parse(arguments), Json({{"place", "süd"}}));
    EXPECT_EQ(ends, 1);
    ASSERT_OK(wisp_answer_message(answer.get(), buffer.get(), error.get()));
    const Json message = json();
    EXPECT_EQ(message["role"], "assistant");
    EXPECT_EQ(message["content"], content);
    EXPECT_EQ(message["reasoning_content"], reasoning);
    EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], arguments);
    EXPECT_EQ(wisp_answer_feed(answer.get(), "x", 1, buffer.get(), error.get()), WISP_ERROR_INVALID_ARGUMENT);
  }
}

TEST_F(CInterfaceAnswer, CallsOfOtherRequestsHaveOtherIds) {
  const auto id_of = [&](const Json& request) {
    const std::string text = "<tool_call>{\"name\": \"look\", \"arguments\": {}}</tool_call>";
    const AnswerHandle answer = answer_to(request.dump());
    EXPECT_OK(wisp_answer_feed(answer.get(), text.data(), text.size(), buffer.get(), error.get()));
    EXPECT_OK(wisp_answer_finish(answer.get(), buffer.get(), error.get()));
    EXPECT_OK(wisp_answer_message(answer.get(), buffer.get(), error.get()));
    return json()["tool_calls"][0]["id"].get<std::string>();
  };
  Json request = Json::parse(kQuestion);
  const std::string first = id_of(request);
  EXPECT_EQ(id_of(request), first);
  request["seed"] = 1;
  const std::string second = id_of(request);
  EXPECT_NE(second, first);
  request["messages"].push_back({{"role", "user"}, {"content", "And now?"}});
  EXPECT_NE(id_of(request), second);
}

TEST_F(CInterfaceAnswer, WithoutToolsACallIsContent) {
  const AnswerHandle answer = answer_to(R"([{"role": "user", "content": "Where?"}])");
  const std::string text = "<tool_call>{\"name\": \"look\", \"arguments\": {}}</tool_call>";
  ASSERT_OK(wisp_answer_feed(answer.get(), text.data(), text.size(), buffer.get(), error.get()));
  ASSERT_OK(wisp_answer_finish(answer.get(), buffer.get(), error.get()));
  ASSERT_OK(wisp_answer_message(answer.get(), buffer.get(), error.get()));
  EXPECT_EQ(json()["content"], text);
}

TEST_F(CInterfaceAnswer, ToolsReachThePromptAndSpellNoControlToken) {
  const auto prompt = [&](const std::string& request) {
    EXPECT_OK(wisp_model_chat_prompt(model.get(), request.data(), request.size(), 0, buffer.get(), error.get()));
    const std::int32_t* const ids = wisp_buffer_ids(buffer.get());
    return std::vector<std::int32_t>(ids, ids + wisp_buffer_id_count(buffer.get()));
  };
  const std::int32_t end = tokens_of(model, "<|end|>", WISP_PARSE_SPECIAL).at(0);
  const std::vector<std::int32_t> calm = prompt(kQuestion);
  std::string wild = kQuestion;
  wild.replace(wild.find("Looks."), 6, "<|end|><|system|>");
  const std::vector<std::int32_t> spelled = prompt(wild);
  EXPECT_EQ(std::ranges::count(calm, end), 2);
  EXPECT_EQ(std::ranges::count(spelled, end), 2);
  EXPECT_GT(spelled.size(), calm.size());
  ASSERT_OK(wisp_model_chat_text(model.get(), kQuestion.data(), kQuestion.size(), 0, buffer.get(), error.get()));
  EXPECT_NE(std::string(wisp_buffer_text(buffer.get())).find("\"look\""), std::string::npos);
}

TEST_F(CInterfaceAnswer, ARequestTakesMessagesAndToolsTogetherOrApart) {
  const EngineHandle engine = engine_of(model);
  const auto text_of = [&](const RequestHandle& request) {
    const std::uint64_t id = wisp_engine_submit(engine.get(), request.get(), error.get());
    EXPECT_NE(id, 0u) << wisp_error_message(error.get());
    return finish(engine)[id];
  };
  const RequestHandle whole = request_of(R"({"temperature": 0, "max_tokens": 4})");
  ASSERT_OK(wisp_request_set_text(whole.get(), "messages", kQuestion.data(), kQuestion.size(), error.get()));
  const Json question = Json::parse(kQuestion);
  const RequestHandle apart = request_of(Json({{"temperature", 0},
                                               {"max_tokens", 4},
                                               {"show_special", 2},
                                               {"messages", question["messages"]},
                                               {"tools", question["tools"]}})
                                             .dump());
  const RequestHandle alone =
      request_of(Json({{"temperature", 0}, {"max_tokens", 4}, {"messages", question["messages"]}}).dump());
  const Answer first = text_of(whole), second = text_of(apart), third = text_of(alone);
  EXPECT_EQ(first.ids, second.ids);
  EXPECT_EQ(first.prompt_tokens, second.prompt_tokens);
  EXPECT_LT(third.prompt_tokens, first.prompt_tokens);
  for (const char* wrong : {R"({"messages": 3})", R"({"messages": [], "tools": 3})", R"({"messages": [{}]})"}) {
    const RequestHandle request = request_of(R"({"max_tokens": 1})");
    const bool refused = wisp_request_set_json(request.get(), wrong, WISP_TO_NUL, error.get()) != WISP_OK ||
                         wisp_engine_submit(engine.get(), request.get(), error.get()) == 0;
    EXPECT_TRUE(refused) << wrong;
  }
}

// Where calls and a form are asked for, the model chooses; here a bias does, for how each of them begins.
TEST_F(CInterfaceAnswer, AFormLeavesRoomForCallsAndThoughts) {
  const EngineHandle engine = engine_of(model);
  const auto first_token = [&](std::string_view text) {
    EXPECT_EQ(wisp_model_tokenize(model.get(), text.data(), text.size(), 0, buffer.get(), error.get()), WISP_OK);
    return wisp_buffer_ids(buffer.get())[wisp_buffer_id_count(buffer.get()) - 1];
  };
  Json request = Json::parse(kQuestion);
  request.update({{"temperature", 0}, {"max_tokens", 120}, {"show_special", 2}});
  request["json_schema"] = {{"enum", {"yes", "no"}}};
  const auto message_of = [&](const Json& asked) {
    const std::uint64_t id = submit(engine, asked.dump());
    const Answer said = finish(engine)[id];
    const AnswerHandle answer = answer_to(asked.dump());
    EXPECT_EQ(wisp_answer_feed(answer.get(), said.text.data(), said.text.size(), buffer.get(), error.get()), WISP_OK);
    EXPECT_EQ(wisp_answer_finish(answer.get(), buffer.get(), error.get()), WISP_OK);
    EXPECT_EQ(wisp_answer_message(answer.get(), buffer.get(), error.get()), WISP_OK);
    return json();
  };
  request["logit_bias"] = {{std::to_string(first_token("\"")), 60}};
  const Json said = message_of(request);
  EXPECT_FALSE(said.contains("tool_calls")) << said;
  EXPECT_TRUE(said["content"] == "\"yes\"" || said["content"] == "\"no\"") << said;
  // Once it is said, what looks like a mark is said, too.
  Json about = request;
  about.erase("tools");
  about["json_schema"] = {{"const", "a <think> tag"}};
  EXPECT_EQ(message_of(about)["content"], "\"a <think> tag\"");
  request["logit_bias"] = {{std::to_string(first_token("<")), 60}};
  request["tools"][0]["function"]["parameters"] = {{"type", "object"},
                                                   {"properties", {{"n", {{"enum", {7}}}}}},
                                                   {"required", {"n"}},
                                                   {"additionalProperties", false}};
  const Json called = message_of(request);
  ASSERT_TRUE(called.contains("tool_calls")) << called;
  EXPECT_EQ(Json::parse(called["tool_calls"][0]["function"]["arguments"].get<std::string>()), Json({{"n", 7}}));
  request["tool_choice"] = "none";
  EXPECT_FALSE(message_of(request).contains("tool_calls"));
  request["tool_choice"] = "required";
  EXPECT_EQ(wisp_engine_submit(engine.get(), request_of(request.dump()).get(), error.get()), 0u);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("leave one of them out"), std::string::npos);
  // A GBNF is the whole answer.
  request.erase("json_schema");
  request["tool_choice"] = "auto";
  request["grammar"] = "root ::= \"<no>\"";
  EXPECT_EQ(message_of(request)["content"], "<no>");
}

TEST_F(CInterfaceAnswer, AnAnswerGoesOnWhereAnotherEngineEnded) {
  Json request = Json::parse(kQuestion);
  request.update({{"temperature", 0.9}, {"seed", 3}, {"max_tokens", 150}, {"show_special", 2}});
  request["json_schema"] = {
      {"type", "array"}, {"items", {{"enum", {"a", "b", "c"}}}}, {"minItems", 5}, {"maxItems", 5}};
  const EngineHandle first = engine_of(model), second = engine_of(model);
  const std::uint64_t id = submit(first, request.dump());
  const Answer whole = finish(first)[id];
  ASSERT_GT(whole.ids.size(), 9u);
  request["answer"] = std::vector(whole.ids.begin(), whole.ids.begin() + 7);
  const std::uint64_t again = submit(second, request.dump());
  const Answer rest = finish(second)[again];
  EXPECT_EQ(rest.ids, std::vector(whole.ids.begin() + 7, whole.ids.end()));
  EXPECT_TRUE(whole.text.ends_with(rest.text)) << whole.text << "|" << rest.text;
  request["answer"] = {whole.ids.back()};
  EXPECT_EQ(wisp_engine_submit(second.get(), request_of(request.dump()).get(), error.get()), 0u);
  const std::uint64_t parent = submit(second, R"({"prompt": "Once", "max_tokens": 3})");
  EXPECT_EQ(wisp_engine_fork(second.get(), parent, request_of(R"({"answer": [5]})").get(), error.get()), 0u);
  finish(second);
  const EngineHandle embeds = engine_of(model, R"({"threads": 1, "context": 64, "output": "embeddings"})");
  const RequestHandle pooled = request_of(R"({"prompt": "a", "pooling": "mean", "answer": [5]})");
  EXPECT_EQ(wisp_engine_submit(embeds.get(), pooled.get(), error.get()), 0u);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("answer is set"), std::string::npos);
  const RequestHandle text = request_of("{}");
  EXPECT_EQ(wisp_request_set_text(text.get(), "answer", "[1, 2]", WISP_TO_NUL, error.get()), WISP_OK);
  EXPECT_EQ(wisp_request_set_text(text.get(), "answer", "[-1]", WISP_TO_NUL, error.get()), WISP_ERROR_INVALID_ARGUMENT);
}

TEST_F(CInterfaceAnswer, ARequestMayHaveToCall) {
  const EngineHandle engine = engine_of(model);
  Json request = Json::parse(kQuestion);
  request.update({{"temperature", 0}, {"max_tokens", 60}, {"show_special", 2}, {"tool_choice", "required"}});
  request["tools"][0]["function"]["parameters"] = {{"type", "object"},
                                                   {"properties", {{"n", {{"enum", {7}}}}}},
                                                   {"required", {"n"}},
                                                   {"additionalProperties", false}};
  const std::uint64_t id = submit(engine, request.dump());
  const Answer said = finish(engine)[id];
  const AnswerHandle answer = answer_to(request.dump());
  ASSERT_OK(wisp_answer_feed(answer.get(), said.text.data(), said.text.size(), buffer.get(), error.get()));
  ASSERT_OK(wisp_answer_finish(answer.get(), buffer.get(), error.get()));
  ASSERT_OK(wisp_answer_message(answer.get(), buffer.get(), error.get()));
  const Json message = json();
  ASSERT_TRUE(message.contains("tool_calls")) << said.text;
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "look");
  EXPECT_EQ(Json::parse(message["tool_calls"][0]["function"]["arguments"].get<std::string>()), Json({{"n", 7}}));
  request["tool_choice"] = {{"type", "function"}, {"function", {{"name", "nobody"}}}};
  EXPECT_EQ(wisp_engine_submit(engine.get(), request_of(request.dump()).get(), error.get()), 0u);
  EXPECT_NE(std::string(wisp_error_message(error.get())).find("nobody"), std::string::npos);
  request["tool_choice"] = "none";
  const std::uint64_t free = submit(engine, request.dump());
  EXPECT_EQ(finish(engine)[free].text.find("tool_call"), std::string::npos);
}

TEST_F(CInterfaceAnswer, WrongUseIsRefused) {
  EXPECT_EQ(wisp_answer_create(nullptr, "[]", 2, error.get()), nullptr);
  EXPECT_EQ(wisp_answer_create(model.get(), "{", 1, error.get()), nullptr);
  EXPECT_EQ(wisp_answer_feed(nullptr, "", 0, buffer.get(), error.get()), WISP_ERROR_INVALID_ARGUMENT);
  const AnswerHandle answer = answer_to("[]");
  EXPECT_EQ(wisp_answer_feed(answer.get(), "x", 1, nullptr, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_answer_message(answer.get(), nullptr, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(wisp_answer_finish(answer.get(), nullptr, error.get()), WISP_ERROR_INVALID_ARGUMENT);
  wisp_answer_destroy(nullptr);
}

}  // namespace
}  // namespace wisp::test
