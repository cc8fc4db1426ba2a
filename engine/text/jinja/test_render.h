// Rendering small templates in tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "text/chat_template.h"
#include "text/jinja/value.h"

namespace wisp::text::test {

inline constexpr std::int64_t kNow = 1'753'531'200;  // 2025-07-26 12:00:00 UTC, a Saturday

inline Result<std::string> render(const std::string& source, std::string_view json = "{}", TemplateLimits limits = {}) {
  WISP_TRY(const ChatTemplate parsed, ChatTemplate::parse(source, limits));
  WISP_TRY(const jinja::Value variables, jinja::parse_json(json));
  return parsed.render(variables, kNow);
}

inline std::string text_of(const std::string& source, std::string_view json = "{}") {
  const auto text = render(source, json);
  return text ? *text : "error: " + text.error().message;
}

struct TemplateExample {
  const char* source;
  const char* expected;
};

inline void expect_all(std::initializer_list<TemplateExample> examples, std::string_view json = "{}") {
  for (const TemplateExample& example : examples)
    EXPECT_EQ(text_of(example.source, json), example.expected) << example.source;
}

}  // namespace wisp::text::test
