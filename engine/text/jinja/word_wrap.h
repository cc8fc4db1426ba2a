// Python's textwrap.wrap: a line cut into lines of a width.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/context.h"

namespace wisp::text::jinja {

struct WrapStyle {
  std::int64_t width = 79;  // characters
  bool break_long_words = true;
  bool break_on_hyphens = true;
};

// Code::invalid_argument for a width below 1. `line` has no line ends.
Result<std::vector<std::string>> wrap_line(Context& context, std::string_view line, const WrapStyle& style);

}  // namespace wisp::text::jinja
