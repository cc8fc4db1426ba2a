#include "api/buffer.h"

#include <utility>

#include "text/jinja/json_text.h"
#include "text/utf8.h"

namespace wisp::api {
namespace {

using text::jinja::Value;

// Values are made here, from a header whose size is bounded; the limits are for templates.
constexpr text::jinja::Limits kNoLimits = {
    .max_steps = std::uint64_t{1} << 40, .max_depth = 200, .max_output_bytes = std::uint64_t{1} << 40};

}  // namespace

Status fill(wisp_buffer* out, std::span<const std::byte> content) {
  WISP_CHECK(check(out, "the buffer"));
  WISP_CHECK(check_room(content.size(), "a result"));
  out->bytes.assign(content.begin(), content.end());
  out->bytes.push_back(std::byte{0});
  return {};
}

Status fill(wisp_buffer* out, std::string_view text) { return fill(out, std::as_bytes(std::span(text))); }
Status fill(wisp_buffer* out, std::span<const TokenId> ids) { return fill(out, std::as_bytes(ids)); }

Result<std::string> json_of(const Value& value) {
  text::jinja::Context context(kNoLimits, 0);
  return to_json(context, value, {});
}

Status fill_json(wisp_buffer* out, const Value& value) {
  WISP_TRY(const std::string text, json_of(value));
  return fill(out, text);
}

Value json_count(std::uint64_t count) {
  // Beyond 63 bits as near as a double comes.
  return std::in_range<std::int64_t>(count) ? Value::integer(static_cast<std::int64_t>(count))
                                            : Value::real(static_cast<double>(count));
}

Value json_text(std::string_view text) { return Value::string(text::replace_invalid_utf8(text, text::Replace::piece)); }

}  // namespace wisp::api

using wisp::api::is_valid;

extern "C" {

wisp_buffer* wisp_buffer_create(void) {
  auto made = wisp::api::guarded([]() -> wisp::Result<wisp_buffer*> { return wisp::api::create<wisp_buffer>(); });
  return made.value_or(nullptr);
}
void wisp_buffer_destroy(wisp_buffer* buffer) { wisp::api::destroy(buffer); }
const void* wisp_buffer_data(const wisp_buffer* buffer) { return is_valid(buffer) ? buffer->bytes.data() : nullptr; }
size_t wisp_buffer_size(const wisp_buffer* buffer) { return is_valid(buffer) ? buffer->bytes.size() - 1 : 0; }
const char* wisp_buffer_text(const wisp_buffer* buffer) {
  return is_valid(buffer) ? reinterpret_cast<const char*>(buffer->bytes.data()) : "";
}
const int32_t* wisp_buffer_ids(const wisp_buffer* buffer) {
  return is_valid(buffer) ? reinterpret_cast<const int32_t*>(buffer->bytes.data()) : nullptr;
}
size_t wisp_buffer_id_count(const wisp_buffer* buffer) { return wisp_buffer_size(buffer) / sizeof(int32_t); }

}  // extern "C"
