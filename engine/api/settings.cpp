#include "api/settings.h"

namespace wisp::api {

Result<text::jinja::Value> parse_object(std::string_view what, std::string_view json) {
  constexpr std::uint32_t kMaxDepth = 64;
  auto value = text::jinja::parse_json(json, kMaxDepth);
  if (!value) return fail_in(std::move(value).error(), "{}", what);
  if (!value->is(text::jinja::Kind::dict)) return fail(Code::invalid_argument, "{} are not a JSON object", what);
  return value;
}

}  // namespace wisp::api
