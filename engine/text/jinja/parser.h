// Template text to tree: Jinja 3.1's grammar with the loop controls and generation blocks that chat templates use.
// include, import and extends are refused: a chat template is one text.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "text/jinja/ast.h"

namespace wisp::text::jinja {

// Code::invalid_file with line and column; nesting past `max_depth` is Code::limit.
Result<std::unique_ptr<const Template>> parse_template(std::string_view source, std::uint32_t max_depth);

}  // namespace wisp::text::jinja
