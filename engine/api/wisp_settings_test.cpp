// The settings of requests and options of engines, as wisp.h tells of them: each name that is documented is taken, each
// [default] is true, and no other name is taken.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/c_interface.h"

namespace wisp::test {
namespace {

using CInterfaceSettings = CInterface;

struct Documented {
  std::string name;
  Json fallback;  // null where the header describes it in words
};

// What stands in brackets at the end of a description: of a list the default itself, else those of all names of the
// line.
Json default_of(const std::string& name, std::size_t index, const std::string& description) {
  const std::size_t begin = description.rfind(" [");
  if (begin == std::string::npos || !description.ends_with(']')) return nullptr;
  const Json list = Json::parse(description.substr(begin + 1), nullptr, false);
  if (list.is_discarded()) return nullptr;
  const std::set<std::string> lists = {"answer", "stop", "dry_breakers", "triggers", "no_fuse"};
  if (lists.contains(name)) return list;
  return index < list.size() ? list[index] : Json(nullptr);
}

// The tables in the comments between two functions.
std::vector<Documented> documented_between(const std::string& first, const std::string& last) {
  std::ifstream file(source_dir() / "engine/api/wisp.h");
  const std::string header{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = header.find(" " + first + "("), end = header.find(" " + last + "(");
  std::istringstream lines(header.substr(begin, end - begin));
  const std::regex entry(R"((?: \*|/\*)   ([a-z_]+(?:, [a-z_]+)*)  +(.*))"), more(R"( \*    +(.*))");
  std::vector<std::pair<std::string, std::string>> found;  // names, description
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, entry)) {
      found.emplace_back(match[1], match[2]);
    } else if (std::regex_match(line, match, more)) {
      found.back().second += " " + match[1].str();
    }
  }
  std::vector<Documented> settings;
  for (const auto& [names, description] : found) {
    std::istringstream list(names);
    std::size_t index = 0;
    for (std::string name; std::getline(list >> std::ws, name, ','); ++index) {
      settings.push_back({name, default_of(name, index, description)});
    }
  }
  return settings;
}
std::vector<Documented> documented_settings() {
  return documented_between("wisp_request_set_state", "wisp_request_add_logit_bias");
}
std::vector<Documented> documented_options() {
  return documented_between("wisp_options_destroy", "wisp_options_set_json");
}

// What is known where `name` is not, as the error lists it.
std::set<std::string> names_in(const std::string& message) {
  std::istringstream list(message.substr(message.find("there are: ") + 11));
  std::set<std::string> names;
  for (std::string name; std::getline(list >> std::ws, name, ',');) names.insert(name);
  return names;
}

TEST_F(CInterfaceSettings, EachDocumentedNameIsTaken) {
  const std::map<std::string, Json> samples = {{"max_tokens", 3},
                                               {"prompt", "x"},
                                               {"messages", Json::array({{{"role", "user"}, {"content", "Hi"}}})},
                                               {"grammar", "root ::= \"a\""},
                                               {"json_schema", Json::object()},
                                               {"regex", "a"},
                                               {"normalize", true},
                                               {"pooling", "mean"}};
  std::set<std::string> documented = {"logit_bias"};
  std::size_t with_default = 0;
  for (const auto& [name, fallback] : documented_settings()) {
    EXPECT_TRUE(documented.insert(name).second) << name << " is there twice";
    ASSERT_TRUE(!fallback.is_null() || samples.contains(name)) << name << " has neither a default nor a sample here";
    with_default += fallback.is_null() ? 0 : 1;
    request_of(Json{{name, fallback.is_null() ? samples.at(name) : fallback}}.dump());
  }
  EXPECT_GT(with_default, 35u);
  const RequestHandle request(wisp_request_create());
  EXPECT_EQ(wisp_request_set_json(request.get(), R"({"tempature": 1})", WISP_TO_NUL, error.get()),
            WISP_ERROR_NOT_FOUND);
  EXPECT_EQ(names_in(wisp_error_message(error.get())), documented);
}

TEST_F(CInterfaceSettings, EachDocumentedOptionIsTakenAndItsDefaultTrue) {
  const ModelHandle model = open();
  ASSERT_OK(wisp_model_memory(model.get(), nullptr, buffer.get(), error.get()));
  const Json needs = json();
  std::set<std::string> documented;
  for (const auto& [name, fallback] : documented_options()) {
    EXPECT_TRUE(documented.insert(name).second) << name << " is there twice";
    ASSERT_TRUE(!fallback.is_null() || name == "kv") << name << " has no default";
    const OptionsHandle options(wisp_options_create());
    const std::string set = Json{{name, name == "kv" ? Json("f16") : fallback}}.dump();
    ASSERT_OK(wisp_options_set_json(options.get(), set.data(), set.size(), error.get()));
    ASSERT_OK(wisp_model_memory(model.get(), options.get(), buffer.get(), error.get()));
    EXPECT_EQ(json(), needs) << set;
  }
  EXPECT_GT(documented.size(), 20u);
  for (const char* const unknown : {R"({"contxt": 1})", R"({"contxt": "1"})", R"({"contxt": []})"}) {
    const OptionsHandle options(wisp_options_create());
    EXPECT_EQ(wisp_options_set_json(options.get(), unknown, WISP_TO_NUL, error.get()), WISP_ERROR_NOT_FOUND);
    EXPECT_EQ(names_in(wisp_error_message(error.get())), documented);
  }
}

TEST_F(CInterfaceSettings, AnUnknownNameIsRefusedWhateverItsValue) {
  const RequestHandle request(wisp_request_create());
  for (const char* const value : {"0.5", "\"x\"", "[1]", "{}", "true", "null"}) {
    const std::string json = std::string(R"({"tempature": )") + value + "}";
    EXPECT_EQ(wisp_request_set_json(request.get(), json.data(), json.size(), error.get()), WISP_ERROR_NOT_FOUND);
    const std::set<std::string> names = names_in(wisp_error_message(error.get()));
    for (const char* const known : {"temperature", "top_k", "stop", "logit_bias"}) EXPECT_TRUE(names.contains(known));
  }
  EXPECT_EQ(wisp_request_set_integer(request.get(), "tempature", 1, error.get()), WISP_ERROR_NOT_FOUND);
  EXPECT_TRUE(names_in(wisp_error_message(error.get())).contains("top_k"));
  EXPECT_EQ(wisp_request_set_number(request.get(), "tempature", 1, error.get()), WISP_ERROR_NOT_FOUND);
  EXPECT_TRUE(names_in(wisp_error_message(error.get())).contains("temperature"));
  EXPECT_EQ(wisp_request_set_text(request.get(), "tempature", "1", 1, error.get()), WISP_ERROR_NOT_FOUND);
  EXPECT_TRUE(names_in(wisp_error_message(error.get())).contains("samplers"));
}

// Naming a default changes no token, with samplers at work that it may matter to.
TEST_F(CInterfaceSettings, TheDefaultsAreTheDocumentedOnes) {
  const ModelHandle model = open();
  const EngineHandle engine = engine_of(model, R"({"threads": 1, "context": 128, "max_sequences": 16})");
  const std::string prompt = "The cat: a dog. The dog: a cat. The cat: a dog. The dog:";
  for (const char* const at_work : {R"({"temperature": 1.5})", R"({"temperature": 1.5, "mirostat": true})",
                                    R"({"temperature": 1.5, "dynatemp_range": 1, "xtc_probability": 0.7})",
                                    R"({"temperature": 1, "dry_multiplier": 0.3, "repeat_penalty": 1.1})",
                                    R"({"temperature": 1, "dry_multiplier": 0.02, "dry_breakers": []})"}) {
    Json base = Json::parse(at_work);
    base.update({{"prompt", prompt}, {"max_tokens", 10}, {"ignore_end", true}, {"seed", 5}});
    const std::uint64_t plain = submit(engine, base.dump());
    std::map<std::uint64_t, std::string> named;
    for (const auto& [name, fallback] : documented_settings()) {
      if (fallback.is_null() || base.contains(name)) continue;
      Json changed = base;
      changed[name] = fallback;
      named[submit(engine, changed.dump())] = name;
    }
    auto answers = finish(engine);
    for (const auto& [id, name] : named) EXPECT_EQ(answers[id].ids, answers[plain].ids) << name << " in " << at_work;
  }
}

// The requests that the documentation shows are taken, and end.
TEST_F(CInterfaceSettings, TheExamplesOfTheDocumentationRun) {
  const ModelHandle model = open();
  const EngineHandle of_logits = engine_of(model);
  const EngineHandle of_embeddings = engine_of(model, R"({"threads": 1, "context": 256, "output": "embeddings"})");
  std::size_t examples = 0;
  for (const char* const page : {"c-api.md", "constraints.md"}) {
    std::ifstream file(source_dir() / "docs" / page);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string fence = "\n```json\n";
    for (std::size_t at = text.find(fence); at != std::string::npos; at = text.find(fence, at + 1), ++examples) {
      const std::size_t begin = at + fence.size();
      const std::string example = text.substr(begin, text.find("\n```\n", begin) - begin);
      const bool embeds = Json::parse(example).contains("pooling");
      const EngineHandle& engine = embeds ? of_embeddings : of_logits;
      const std::uint64_t id = submit(engine, example);
      EXPECT_NE(finish(engine)[id].reason, WISP_FINISH_ERROR) << example;
    }
  }
  EXPECT_EQ(examples, 3u);
}

}  // namespace
}  // namespace wisp::test
