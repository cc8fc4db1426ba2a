// Python's string operations that methods and filters share. Each is linear in its input and output; callers pay for
// the input, functions whose output can be larger take the context and pay for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/context.h"

namespace wisp::text::jinja {

enum class Side : std::uint8_t { left = 1, right = 2, both = 3 };
// Without `characters`: blanks.
std::string_view strip(std::string_view text, std::optional<std::string_view> characters, Side side);

// At most `count` of them; negative: all.
Result<std::string> replace(Context& context, std::string_view text, std::string_view old, std::string_view fresh,
                            std::int64_t count);

// Without `separator`: at runs of blanks. At most `max` cuts, negative: any number; `from_right` counts them from the
// end.
Result<std::vector<Value>> split(Context& context, std::string_view text, std::optional<std::string_view> separator,
                                 std::int64_t max, bool from_right);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

// For HTML, quotes too.
std::string escape_html(std::string_view text);

// Padded with `fill` to `width` characters; `side` is where the text goes.
Result<std::string> justify(Context& context, std::string_view text, std::int64_t width, std::string_view fill,
                            Side side);

// One argument each, of a kind: failures name the function and the argument.
Result<std::string_view> text_argument(std::string_view what, const Value& value);
Result<std::int64_t> integer_argument(std::string_view what, const Value& value);

}  // namespace wisp::text::jinja
