// Random JSON schemas of the kind that people write for structured output.
#pragma once

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace wisp::test {

class RandomSchema {
 public:
  explicit RandomSchema(std::uint32_t seed) : random_(seed) {}

  nlohmann::ordered_json make() {
    n_definitions_ = pick(3);
    nlohmann::ordered_json schema = any(3);
    if (pick(3) > 0) schema = object(3);
    for (int i = 0; i < n_definitions_; ++i) {
      // A definition that refers to itself does so where it may end.
      schema["$defs"]["d" + std::to_string(i)] = object(1);
    }
    return schema;
  }

 private:
  using Json = nlohmann::ordered_json;
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string word() {
    static const std::vector<std::string> kWords = {"name",   "age",         "a b",  "caf\u00e9",
                                                    "x\"y",   "id",          "tags", "street",
                                                    "\u4e16", "back\\slash", "n",    "long_property_name"};
    return kWords[static_cast<std::size_t>(pick(static_cast<int>(kWords.size())))];
  }

  Json any(int depth) {
    switch (pick(depth > 0 ? 12 : 7)) {
      case 0: return {{"type", "boolean"}};
      case 1: return {{"type", "null"}};
      case 2: return integer();
      case 3: return number();
      case 4:
      case 5: return string();
      case 6: return listed();
      case 7: return array(depth - 1);
      case 8: return any_of(depth - 1);
      case 9: return all_of(depth - 1);
      case 10:
        if (n_definitions_ > 0) return {{"$ref", "#/$defs/d" + std::to_string(pick(n_definitions_))}};
        [[fallthrough]];
      default: return object(depth - 1);
    }
  }

  Json integer() {
    Json schema = {{"type", pick(4) == 0 ? Json{"integer", "null"} : Json("integer")}};
    const int low = pick(400) - 200;
    if (pick(2) == 0) schema[pick(2) == 0 ? "minimum" : "exclusiveMinimum"] = low;
    if (pick(2) == 0) schema[pick(2) == 0 ? "maximum" : "exclusiveMaximum"] = low + 20 + pick(100'000);
    if (schema.size() == 1 && pick(3) == 0) schema["multipleOf"] = 1 + pick(12);
    return schema;
  }
  Json number() {
    Json schema = {{"type", "number"}};
    const double low = (pick(4000) - 2000) / 8.0;
    if (pick(2) == 0) schema[pick(2) == 0 ? "minimum" : "exclusiveMinimum"] = low;
    if (pick(2) == 0) schema[pick(2) == 0 ? "maximum" : "exclusiveMaximum"] = low + 0.25 + pick(1000) / 16.0;
    return schema;
  }
  Json string() {
    static const std::vector<std::string> kPatterns = {
        "^[a-z]+$",    "^\\d{3}-\\d{4}$",   "b",       "^(foo|bar)[0-9]{0,3}", "[^\\s\\w]$",
        "^\\S+@\\S+$", "^[A-Z]{2}\\D\\W?$", "^.{3,9}$"};
    static const std::vector<std::string> kFormats = {"date", "time", "date-time", "uuid",     "email",
                                                      "ipv4", "ipv6", "hostname",  "duration", "uri"};
    Json schema = {{"type", "string"}};
    switch (pick(5)) {
      case 0: schema["pattern"] = kPatterns[static_cast<std::size_t>(pick(8))]; break;
      case 1: schema["format"] = kFormats[static_cast<std::size_t>(pick(10))]; break;
      case 2: schema["minLength"] = pick(4); [[fallthrough]];
      case 3: schema["maxLength"] = 4 + pick(30); break;
      default: break;
    }
    return schema;
  }
  Json listed() {
    if (pick(3) == 0) return {{"const", {{"k", word()}, {"l", {1, nullptr, true}}}}};
    Json values = Json::array();
    for (int n = 1 + pick(4); n > 0; --n) {
      switch (pick(4)) {
        case 0: values.push_back(pick(100)); break;
        case 1: values.push_back(nullptr); break;
        case 2: values.push_back(0.25 * pick(9)); break;
        default: values.push_back(word()); break;
      }
    }
    Json unique = Json::array();
    for (const Json& value : values) {
      if (std::find(unique.begin(), unique.end(), value) == unique.end()) unique.push_back(value);
    }
    return {{"enum", unique}};
  }
  Json array(int depth) {
    Json schema = {{"type", "array"}};
    if (pick(5) > 0) schema["items"] = any(depth);
    if (pick(4) == 0) {
      schema["prefixItems"] = {any(depth), any(depth)};
      if (pick(2) == 0) schema["items"] = false;
    }
    const int least = pick(3);
    const bool ends = schema.contains("items") && schema["items"].is_boolean();
    if (pick(2) == 0) schema["minItems"] = ends ? least % 3 : least;
    if (pick(2) == 0) schema["maxItems"] = least + pick(4);
    return schema;
  }
  Json object(int depth) {
    Json schema = {{"type", "object"}, {"properties", Json::object()}};
    Json required = Json::array();
    for (int n = pick(5); n > 0; --n) {
      const std::string name = word();
      if (schema["properties"].contains(name)) continue;
      Json value = any(depth);
      // What refers to something may be left out, so that no value is without end.
      const bool refers = value.dump().find("$ref") != std::string::npos;
      schema["properties"][name] = std::move(value);
      if (!refers && pick(2) == 0) required.push_back(name);
    }
    if (!required.empty()) schema["required"] = required;
    switch (pick(5)) {
      case 0: schema["additionalProperties"] = true; break;
      case 1: schema["additionalProperties"] = any(0); break;
      case 2: break;
      default: schema["additionalProperties"] = false; break;
    }
    return schema;
  }
  Json any_of(int depth) {
    if (pick(2) == 0) return {{"anyOf", {any(depth), any(depth), {{"type", "null"}}}}};
    Json ways = Json::array();
    for (const char* kind : {"cat", "dog", "bird"}) {
      Json way = object(depth);
      way["properties"]["kind"] = {{"const", kind}};
      way["required"].push_back("kind");
      ways.push_back(std::move(way));
    }
    return {{"oneOf", ways}};
  }
  Json all_of(int depth) {
    Json first = object(depth), second = {{"type", "object"}, {"properties", {{"extra", integer()}}}};
    first.erase("additionalProperties");
    if (pick(2) == 0) second["required"] = {"extra"};
    return {{"allOf", {first, second}}, {"description", "both"}};
  }

  std::mt19937 random_;
  int n_definitions_ = 0;
};

}  // namespace wisp::test
