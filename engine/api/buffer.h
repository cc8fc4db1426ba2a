// A wisp_buffer: what functions give that has no fixed size.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/handle.h"
#include "base/token.h"
#include "text/jinja/value.h"

struct wisp_buffer : wisp::api::Tagged<wisp::api::Tag::buffer> {
  std::vector<std::byte> bytes = {std::byte{0}};  // with the NUL behind the content
};

namespace wisp::api {

// Each replaces the content.
Status fill(wisp_buffer* out, std::span<const std::byte> content);
Status fill(wisp_buffer* out, std::string_view text);
Status fill(wisp_buffer* out, std::span<const TokenId> ids);
// As JSON text in one line. Strings are made valid UTF-8, numbers that are not finite null.
Status fill_json(wisp_buffer* out, const text::jinja::Value& value);
Result<std::string> json_of(const text::jinja::Value& value);

// For building such values.
text::jinja::Value json_count(std::uint64_t count);
text::jinja::Value json_text(std::string_view text);

}  // namespace wisp::api
