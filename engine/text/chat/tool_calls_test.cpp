#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include "base/format.h"
#include "tests/test_data.h"
#include "text/chat/argument_text.h"
#include "text/chat/output_parser.h"
#include "text/chat/template_testing.h"

namespace wisp::text {
namespace {

using Calls = std::vector<ToolCall>;

Tool weather_tool() {
  return {"get_weather",
          R"({"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": )"
          R"({"type": "object", "properties": {"city": {"type": "string", "description": "c"}, "days": {"type": )"
          R"("integer", "description": "d"}, "zip": {"type": "string", "description": "z"}}, "required": ["city"]}}})"};
}
Tool add_tool() {
  return {"add_numbers",
          R"({"type": "function", "function": {"name": "add_numbers", "description": "Adds", "parameters": {"type": )"
          R"("object", "properties": {"a": {"type": "number", "description": "a"}, "b": {"type": "boolean", )"
          R"("description": "b"}}, "required": ["a"]}}})"};
}

// Two JSON texts of the same value.
bool same_json(const std::string& a, const std::string& b) {
  const auto canonical = [](const std::string& text) {
    const auto value = jinja::parse_json(text);
    EXPECT_TRUE(value) << text;
    std::map<std::string, std::string> members;
    if (value && value->is(jinja::Kind::dict)) {
      for (const auto& [key, member] : value->as_dict()->entries()) {
        std::string shown(jinja::type_name(member));
        shown += member.is(jinja::Kind::string) ? std::string(member.as_text()) : fmt::format("{}", member.as_real());
        members.emplace(std::string(key.as_text()), shown);
      }
    }
    return members;
  };
  return canonical(a) == canonical(b);
}

void expect_same(const ChatMessage& got, const ChatMessage& wanted) {
  EXPECT_EQ(got.content, wanted.content);
  EXPECT_EQ(got.reasoning, wanted.reasoning);
  ASSERT_EQ(got.tool_calls.size(), wanted.tool_calls.size());
  for (std::size_t i = 0; i < got.tool_calls.size(); ++i) {
    EXPECT_EQ(got.tool_calls[i].name, wanted.tool_calls[i].name);
    EXPECT_TRUE(same_json(got.tool_calls[i].arguments, wanted.tool_calls[i].arguments)) << got.tool_calls[i].arguments;
  }
}

std::string shown(const ParsedOutput& output) {
  std::string text = "content " + output.message.content + "\nreasoning " + output.message.reasoning + "\n";
  for (const ToolCall& call : output.message.tool_calls) text += call.id + " " + call.name + call.arguments + "\n";
  for (const std::string& error : output.errors) text += "error " + error + "\n";
  return text;
}

ParsedOutput parse_in_pieces(const OutputFormat& format, const std::vector<Tool>& tools, const std::string& end,
                             const std::string& text, std::mt19937* random) {
  OutputParser parser(format, tools, {});
  parser.prime(end);
  std::vector<OutputEvent> events;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = random != nullptr ? 1 + (*random)() % 9 : 1;
    parser.feed(text.substr(at, n), events);
    at += n;
  }
  parser.finish(events);
  ParsedOutput output;
  output.message.role = "assistant";
  for (const OutputEvent& event : events) add_event(output, event);
  return output;
}

// These write no calls of earlier messages, so there is nothing to take back.
const std::set<std::string> kNoCalls = {
    "HuggingFaceTB-SmolLM3-3B",             // messages have content only
    "LFM2-8B-A1B",                          // the caller puts calls into the content
    "LFM2.5-Instruct",                      // as above
    "google-gemma-2-2b-it",                 // knows no tools
    "ibm-granite-granite-3.3-2B-Instruct",  // the caller puts calls into the content
    "llama-cpp-rwkv-world",                 // knows no tools
    "microsoft-Phi-3.5-mini-instruct",      // knows no tools
};
// Of text and calls in one message these write only one.
const std::set<std::string> kTextOrCalls = {"Cohere2MoE",
                                            "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
                                            "Mistral-Small-3.2-24B-Instruct-2506",
                                            "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
                                            "llama-cpp-deepseek-r1",
                                            "meta-llama-Llama-3.1-8B-Instruct",
                                            "meta-llama-Llama-3.3-70B-Instruct",
                                            "muse-glimmer",
                                            "upstage-Solar-Open-100B"};
// These write it into a turn of its own.
const std::set<std::string> kTextApart = {"NVIDIA-Nemotron-Nano-v2", "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
                                          "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"};
// These write one call a message, by their own rule.
const std::set<std::string> kOneCall = {"GigaChat3.1-10B-A1.8B", "meta-llama-Llama-3.1-8B-Instruct",
                                        "meta-llama-Llama-3.3-70B-Instruct"};

// What the model would have written of a rendered conversation: from where the question's turn ends.
struct WrittenTurn {
  std::string prompt_end, turn;
};
WrittenTurn written_turn(const ChatForm& form, const ChatForm::Prompt& asked, const std::string& full,
                         const std::vector<Tool>& tools) {
  const ChatRequest open{{{"user", "Well?"}}, tools, {}, false};
  const auto before = form.render(open, 0);
  const std::string& base = before ? before->text : asked.text;
  const auto [a, b] = std::mismatch(full.begin(), full.end(), base.begin(), base.end());
  std::string turn(a, full.end());
  // The role's own mark is not what the model writes.
  if (turn.starts_with(asked.end)) return {asked.end, turn.substr(asked.end.size())};
  const auto [c, d] = std::mismatch(turn.begin(), turn.end(), asked.end.begin(), asked.end.end());
  std::size_t cut = static_cast<std::size_t>(c - turn.begin());
  const std::size_t tag = turn.find_last_of("<[", cut == 0 ? 0 : cut - 1);  // half a tag is the model's
  if (tag != std::string::npos && turn.find_first_of(">]", tag) >= cut) cut = std::min(cut, tag);
  return {turn.substr(0, cut), turn.substr(cut)};
}

// What a template writes for an assistant's message is parsed back to that message, and is rendered again to the same.
TEST(ToolCalls, EveryTemplateAndItsParserAgree) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  const std::vector<Tool> tools = {weather_tool(), add_tool()};
  const Calls one = {{"call00001", "get_weather", R"({"city": "Zürich \"<b>\" & 1", "days": 3, "zip": "08001"})"}};
  Calls two = one;
  two.push_back({"call00002", "add_numbers", R"({"a": 2.5, "b": true})"});
  std::mt19937 random(7);
  int n = 0;
  for (const std::string& name : test::template_names(*data)) {
    SCOPED_TRACE(name);
    const auto form = test::form_of(*data, name);
    ASSERT_TRUE(form) << form.error().message;
    EXPECT_EQ(form->traits().tool_calls, !kNoCalls.contains(name));
    if (kNoCalls.contains(name)) continue;
    SCOPED_TRACE(describe(form->format()));
    for (const Calls& calls : {one, two}) {
      if (calls.size() > 1 && kOneCall.contains(name)) continue;
      ChatRequest request{{{"user", "Well?"}}, tools, {}};
      const auto asked = form->render(request, 0);
      ASSERT_TRUE(asked) << asked.error().message;
      request.add_generation_prompt = false;
      request.messages.push_back({.role = "assistant", .content = "", .tool_calls = calls});
      const auto full = form->render(request, 0);
      ASSERT_TRUE(full) << full.error().message;
      const auto [prompt_end, turn] = written_turn(*form, *asked, full->text, tools);
      SCOPED_TRACE(fmt::format("{}|{}", prompt_end, turn));
      ChatMessage wanted = request.messages.back();
      const ParsedOutput parsed = parse_output(form->format(), tools, prompt_end, turn);
      EXPECT_TRUE(parsed.errors.empty()) << parsed.errors.front();
      std::string content = parsed.message.content;
      ChatMessage got = parsed.message;
      got.content.clear();  // what is left is the end of the turn, which a model ends by a token
      expect_same(got, wanted);
      EXPECT_EQ(content.find("get_weather"), std::string::npos) << content;
      for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(shown(parse_in_pieces(form->format(), tools, prompt_end, turn, i == 0 ? nullptr : &random)),
                  shown(parsed));
      }
      if (got.tool_calls.size() != wanted.tool_calls.size()) continue;
      for (std::size_t i = 0; i < got.tool_calls.size(); ++i) got.tool_calls[i].id = wanted.tool_calls[i].id;
      request.messages.back() = got;
      const auto again = form->render(request, 0);
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(again->text, full->text);
      ++n;
    }
  }
  EXPECT_GT(n, 80);
}

// A request may leave out what a function is good for, and what it takes.
TEST(ToolCalls, EveryTemplateTellsOfToolsThatSayLittle) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  for (const std::string& name : test::template_names(*data)) {
    SCOPED_TRACE(name);
    const auto form = test::form_of(*data, name);
    ASSERT_TRUE(form) << form.error().message;
    for (const std::string_view more :
         {"", R"(, "description": "d")", R"(, "parameters": {"type": "object", "properties": {}})",
          R"(, "description": null, "parameters": null)", R"(, "parameters": {})",
          R"(, "description": "d", "parameters": {"type": "object"})"}) {
      const Tool tool{"wisp_tool",
                      fmt::format(R"({{"type": "function", "function": {{"name": "wisp_tool"{}}}}})", more)};
      const auto prompt = form->render({{{"user", "Well?"}}, {tool}, {}}, 0);
      ASSERT_TRUE(prompt) << more << ": " << prompt.error().message;
      EXPECT_EQ(prompt->text.find("wisp_tool") != std::string::npos, form->traits().tools) << more;
    }
  }
}

// The same with text in front of the calls, which most templates write there.
TEST(ToolCalls, TextAndCallsOfOneAnswerAreToldApart) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  const std::vector<Tool> tools = {weather_tool(), add_tool()};
  const Calls one = {{"call00001", "get_weather", R"({"city": "Z\u00fcrich <b>", "days": 3})"}};
  Calls two = one;
  two.push_back({"call00002", "add_numbers", R"({"a": 2.5, "b": true})"});
  const std::string said = "Let me look.\n\n1 < 2, `<tool` and [x]: {\"a\": 1}";
  int n = 0;
  std::set<std::string> text_or_calls;
  for (const std::string& name : test::template_names(*data)) {
    if (kNoCalls.contains(name) || kTextApart.contains(name)) continue;
    SCOPED_TRACE(name);
    const auto form = test::form_of(*data, name);
    ASSERT_TRUE(form) << form.error().message;
    SCOPED_TRACE(describe(form->format()));
    for (const Calls& calls : {one, two}) {
      if (calls.size() > 1 && kOneCall.contains(name)) continue;
      ChatRequest request{{{"user", "Well?"}}, tools, {}};
      const auto asked = form->render(request, 0);
      ASSERT_TRUE(asked) << asked.error().message;
      request.add_generation_prompt = false;
      request.messages.push_back({.role = "assistant", .content = "wisp ends here"});
      const auto plain = form->render(request, 0);
      ASSERT_TRUE(plain) << plain.error().message;
      request.messages.back() = {.role = "assistant", .content = said, .tool_calls = calls};
      const auto full = form->render(request, 0);
      ASSERT_TRUE(full) << full.error().message;
      auto [prompt_end, turn] = written_turn(*form, *asked, full->text, tools);
      if (turn.find("1 < 2") == std::string::npos || turn.find("get_weather") == std::string::npos) {
        text_or_calls.insert(name);
        continue;
      }
      // A model ends its turn by a token, which is not in its text.
      const std::string end = plain->text.substr(plain->text.rfind("ends here") + 9);
      std::size_t shared = 0;
      while (shared < std::min(end.size(), turn.size()) &&
             end[end.size() - 1 - shared] == turn[turn.size() - 1 - shared])
        ++shared;
      std::size_t mark = end.find_first_of("<[", end.size() - shared);
      if (mark != std::string::npos && end.substr(mark).starts_with("<|sep|>")) mark = end.find('<', mark + 1);
      if (mark != std::string::npos) turn.resize(turn.size() - (end.size() - mark));
      SCOPED_TRACE(fmt::format("{}|{}", prompt_end, turn));
      const ParsedOutput parsed = parse_output(form->format(), tools, prompt_end, turn);
      EXPECT_TRUE(parsed.errors.empty()) << parsed.errors.front();
      expect_same(parsed.message, request.messages.back());
      ++n;
      // Cut in two at every byte.
      for (std::size_t cut = 0; cut <= turn.size(); ++cut) {
        OutputParser parser(form->format(), tools, {});
        parser.prime(prompt_end);
        std::vector<OutputEvent> events;
        parser.feed(std::string_view(turn).substr(0, cut), events);
        parser.feed(std::string_view(turn).substr(cut), events);
        parser.finish(events);
        ParsedOutput output;
        for (const OutputEvent& event : events) add_event(output, event);
        ASSERT_EQ(shown(output), shown(parsed)) << "cut at " << cut;
      }
      if (parsed.message.tool_calls.size() != calls.size()) continue;
      ChatMessage again = parsed.message;
      for (std::size_t i = 0; i < calls.size(); ++i) again.tool_calls[i].id = calls[i].id;
      request.messages.back() = again;
      const auto rendered = form->render(request, 0);
      ASSERT_TRUE(rendered) << rendered.error().message;
      EXPECT_EQ(rendered->text, full->text);
    }
  }
  EXPECT_GT(n, 60);
  EXPECT_EQ(text_or_calls, kTextOrCalls);
}

struct Case {
  const char* form;  // a template of the reference data
  const char* end;   // of the prompt
  const char* text;
  const char* content;
  const char* reasoning;
  std::vector<std::pair<std::string, std::string>> calls;
  std::size_t errors = 0;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"Qwen-Qwen3-0.6B", "<|im_start|>assistant\n", "<think>\nHm.\n</think>\n\nHi there.\n", "Hi there.\n", "Hm.", {}},
      {"Qwen-Qwen3-0.6B",
       "<|im_start|>assistant\n",
       "Let me see.\n<tool_call>\n{\"arguments\": {\"city\": \"Rome\"}, \"name\": \"get_weather\"}\n</tool_call>",
       "Let me see.",
       "",
       {{"get_weather", R"({"city": "Rome"})"}}},
      {"Qwen-Qwen3-0.6B", "", "a <tool_call> is a tag, <tool_ too", "a <tool_call> is a tag, <tool_ too", "", {}},
      {"Qwen-Qwen3-0.6B", "", "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"ci", "", "", {}, 1},
      {"Qwen3.5-4B",
       "<|im_start|>assistant\n<think>\n",
       "Why not?\n</think>\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nNew\nYork\n</parameter>\n"
       "<parameter=zip>\n10001\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
       "",
       "Why not?",
       {{"get_weather", R"({"city": "New\nYork", "zip": "10001", "days": 2})"}}},
      {"Qwen3.5-4B",
       "",
       "<function=add_numbers>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
       "",
       "",
       {{"add_numbers", R"({"a": 1})"}}},
      {"meta-llama-Llama-3.1-8B-Instruct",
       "<|start_header_id|>assistant<|end_header_id|>\n\n",
       "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Rome\"}}",
       "",
       "",
       {{"get_weather", R"({"city": "Rome"})"}}},
      {"meta-llama-Llama-3.1-8B-Instruct",
       "",
       "{\"name\": \"Ann\", \"age\": 3}",
       "{\"name\": \"Ann\", \"age\": 3}",
       "",
       {}},
      {"meta-llama-Llama-3.1-8B-Instruct",
       "",
       "<|python_tag|>{\"type\": \"function\", \"name\": \"get_weather\", \"parameters\": {}}",
       "",
       "",
       {{"get_weather", "{}"}}},
      {"Mistral-Small-3.2-24B-Instruct-2506",
       "[/INST]",
       "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Rome\"}",
       "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Rome\"}",
       "",
       {}},
      {"mistralai-Ministral-3-14B-Reasoning-2512",
       "[/INST]",
       "[THINK]Hm.[/THINK][TOOL_CALLS] [{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}]",
       "",
       "Hm.",
       {{"get_weather", R"({"city": "Rome"})"}}},
      {"LFM2-8B-A1B",
       "",
       "<|tool_call_start|>[get_weather(city='L\\'Aquila', days=2), add_numbers(a=-1.5, b=True)]<|tool_call_end|>Done.",
       "Done.",
       "",
       {{"get_weather", R"({"city": "L'Aquila", "days": 2})"}, {"add_numbers", R"({"a": -1.5, "b": true})"}}},
      {"meetkai-functionary-medium-v3.2",
       "<|start_header_id|>assistant<|end_header_id|>\n\n>>>",
       "all\nI look.\n>>>get_weather\n{\"city\": \"Rome\"}",
       "I look.",
       "",
       {{"get_weather", R"({"city": "Rome"})"}}},
      {"google-gemma-4-31B-it",
       "",
       "<|tool_call>call:get_weather{city:<|\"|>a {b} \"c\"<|\"|>,days:2}<tool_call|>",
       "",
       "",
       {{"get_weather", R"({"city": "a {b} \"c\"", "days": 2})"}}},
      {"MiniMax-M3",
       "]~b]ai\n",
       "</mm:think>So.]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name=\"get_weather\">]<]minimax[>[<city>Rome"
       "]<]minimax[>[</city>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>",
       "So.",
       "",
       {{"get_weather", R"({"city": "Rome"})"}}},
      {"Kimi-K2-Thinking",
       "",
       "<think>Hm.</think><|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
       "<|tool_call_argument_begin|>{\"city\": \"Rome\"}<|tool_call_end|><|tool_calls_section_end|>",
       "",
       "Hm.",
       {{"get_weather", R"({"city": "Rome"})"}}},
      {"ibm-granite-granite-3.3-2B-Instruct",
       "",
       "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}]",
       "",
       "",
       {{"get_weather", R"({"city": "Rome"})"}}},
  };
  return kCases;
}

TEST(ToolCalls, OutputsOfModelsAreRead) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  const std::vector<Tool> tools = {weather_tool(), add_tool()};
  for (const Case& one : cases()) {
    SCOPED_TRACE(std::string(one.form) + ": " + one.text);
    const auto form = test::form_of(*data, one.form);
    ASSERT_TRUE(form);
    ChatMessage wanted{"assistant", one.content, one.reasoning};
    for (const auto& [name, arguments] : one.calls) wanted.tool_calls.push_back({"", name, arguments});
    const ParsedOutput parsed = parse_output(form->format(), tools, one.end, one.text);
    expect_same(parsed.message, wanted);
    EXPECT_EQ(parsed.errors.size(), one.errors) << describe(form->format());
    EXPECT_EQ(shown(parse_in_pieces(form->format(), tools, one.end, one.text, nullptr)), shown(parsed));
  }
}

constexpr std::string_view kHarmony = "{{ '<|start|>' ~ '<|channel|>' ~ '<|message|>' }}";

TEST(ToolCalls, HarmonysChannels) {
  const auto form = ChatForm::create(kHarmony, "", "");
  ASSERT_TRUE(form);
  const std::string text =
      "<|channel|>analysis<|message|>Need the tool.<|end|><|start|>assistant<|channel|>commentary "
      "to=functions.get_weather "
      "<|constrain|>json<|message|>{\"city\": \"Rome\"}<|call|>";
  const ParsedOutput parsed = parse_output(form->format(), {}, "<|start|>assistant", text);
  expect_same(parsed.message, {"assistant", "", "Need the tool.", {{"", "get_weather", R"({"city": "Rome"})"}}});
  const ParsedOutput answer = parse_output(form->format(), {}, "<|start|>assistant",
                                           "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final"
                                           "<|message|>Hello.<|return|>");
  expect_same(answer.message, {"assistant", "Hello.", "Hm."});
}

TEST(ToolCalls, RequestsAreReadAndRefusedByPath) {
  const auto request = parse_chat_request(
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi "}, {"type": "text", "text": "you"}]},
          {"role": "assistant", "content": null, "tool_calls": [{"id": "x", "type": "function", "function":
          {"name": "f", "arguments": "{\"a\": 1}"}}]}, {"role": "tool", "tool_call_id": "x", "content": "2"}],
          "enable_thinking": false})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->messages[0].content, "Hi you");
  EXPECT_EQ(request->messages[1].tool_calls[0].arguments, "{\"a\": 1}");
  EXPECT_EQ(request->template_variables, "{\"enable_thinking\": false}");
  const auto refused = [](std::string_view json) {
    const auto read = parse_chat_request(json);
    return read ? std::string() : read.error().message;
  };
  EXPECT_NE(refused("3").find("messages"), std::string::npos);
  EXPECT_NE(refused(R"({"messages": [{"content": "x"}]})").find("messages[0] has no role"), std::string::npos);
  EXPECT_NE(refused(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})").find("image_url"),
            std::string::npos);
  EXPECT_NE(
      refused(R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "x"}}]}]})")
          .find("messages[0].tool_calls[0].function.arguments"),
      std::string::npos);
}

// Whatever a model writes: no crash, the same from any pieces, and nothing but whole characters in an event.
TEST(ToolCallsFuzz, MutatedOutputsGiveTheSameFromAnyPieces) {
  const auto data = wisp::test::test_data();
  if (!data) GTEST_SKIP() << "WISP_TEST_DATA is unset";
  const std::vector<Tool> tools = {weather_tool(), add_tool()};
  std::mt19937 random(20260801);
  const int rounds = wisp::test::full_run() ? 2'000 : 60;
  for (const Case& one : cases()) {
    const auto form = test::form_of(*data, one.form);
    ASSERT_TRUE(form);
    for (int i = 0; i < rounds; ++i) {
      std::string text = one.text;
      for (std::size_t edits = 1 + random() % 4; edits > 0; --edits) {
        const std::size_t at = random() % (text.size() + 1), n = std::min<std::size_t>(random() % 20, text.size() - at);
        switch (random() % 4) {
          case 0: text.erase(at, n); break;
          case 1: text.insert(at, text.substr(random() % (text.size() + 1), 30)); break;
          case 2: text.insert(at, "é\xF0\x9F"); break;
          default:
            if (at < text.size()) text[at] = static_cast<char>(random());
        }
      }
      const ParsedOutput whole = parse_output(form->format(), tools, one.end, text);
      ASSERT_EQ(shown(parse_in_pieces(form->format(), tools, one.end, text, &random)), shown(whole))
          << one.form << ": " << text;
      ASSERT_EQ(shown(parse_in_pieces(form->format(), tools, one.end, text, nullptr)), shown(whole))
          << one.form << ": " << text;
    }
  }
}

TEST(ToolCallsHostile, DeepAndLongOutputsAreBounded) {
  OutputFormat format;
  format.calls.payload = Payload::json;
  format.calls.heads = {{{SyntaxPiece::Kind::literal, "<tool_call>"}}};
  format.calls.tails = {"</tool_call>"};
  const std::string deep = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": " + std::string(100'000, '[');
  EXPECT_EQ(parse_output(format, {}, "", deep).errors.size(), 1u);
  std::string marks;
  for (int i = 0; i < 20'000; ++i) marks += "<tool_call>";
  EXPECT_EQ(parse_output(format, {}, "", marks).message.content, marks);
  const std::string longest = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"" + std::string(50'000, 'x');
  OutputOptions options;
  options.max_call_bytes = 10'000;
  EXPECT_NE(parse_output(format, {}, "", longest, options).errors.front().find("limit"), std::string::npos);
  EXPECT_FALSE(read_python_calls("[f(a=" + std::string(100'000, '[')));
  EXPECT_FALSE(gemma_json(std::string(100'000, '{')));
}

}  // namespace
}  // namespace wisp::text
