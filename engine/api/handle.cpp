// Versions, statuses, errors and the checks of arguments.
#include "api/handle.h"

#include "text/tokenizer.h"

using wisp::Code;

namespace wisp::api {
namespace {

constexpr std::uint32_t kAbiVersion = 4;

// The numbers of wisp.h are those of the engine, behind WISP_OK.
static_assert(status_of(Code::invalid_argument) == WISP_ERROR_INVALID_ARGUMENT);
static_assert(status_of(Code::invalid_file) == WISP_ERROR_INVALID_FILE);
static_assert(status_of(Code::unsupported) == WISP_ERROR_UNSUPPORTED);
static_assert(status_of(Code::not_found) == WISP_ERROR_NOT_FOUND);
static_assert(status_of(Code::io) == WISP_ERROR_IO);
static_assert(status_of(Code::out_of_memory) == WISP_ERROR_OUT_OF_MEMORY);
static_assert(status_of(Code::need_more_data) == WISP_ERROR_NEED_MORE_DATA);
static_assert(status_of(Code::limit) == WISP_ERROR_LIMIT);
static_assert(status_of(Code::cancelled) == WISP_ERROR_CANCELLED);
static_assert(status_of(Code::device) == WISP_ERROR_DEVICE);
static_assert(status_of(Code::internal) == WISP_ERROR_INTERNAL);

}  // namespace

Result<std::string_view> text_argument(std::string_view what, const char* text, std::size_t length) {
  if (text == nullptr) {
    if (length == 0) return std::string_view();
    return fail(Code::invalid_argument, "{} is NULL", what);
  }
  if (length == WISP_TO_NUL) length = std::strlen(text);
  if (length > text::kMaxTextBytes) {
    return fail(Code::limit, "{} is {} bytes long, and no more than {} are read", what, length, text::kMaxTextBytes);
  }
  WISP_CHECK(check_room(length, what));
  return std::string_view(text, length);
}

Result<std::span<const std::byte>> bytes_argument(std::string_view what, const void* bytes, std::size_t count) {
  if (bytes == nullptr && count > 0) return fail(Code::invalid_argument, "{} is NULL", what);
  if (count > SIZE_MAX / 2) return fail(Code::limit, "{} cannot be {} bytes long", what, count);
  return std::span(static_cast<const std::byte*>(bytes), count);
}

Result<std::span<const std::int32_t>> ids_argument(std::string_view what, const std::int32_t* ids, std::size_t count) {
  constexpr std::size_t kMostIds = std::size_t{1} << 24;
  if (ids == nullptr && count > 0) return fail(Code::invalid_argument, "{} are NULL", what);
  if (count > kMostIds) return fail(Code::limit, "{} are {}, and no more than {} are read", what, count, kMostIds);
  WISP_CHECK(check_room(count * sizeof(std::int32_t), what));
  return std::span(ids, count);
}

Status check_flags(std::uint32_t flags, std::uint32_t known) {
  if ((flags & ~known) == 0) return {};
  return fail(Code::invalid_argument, "flags {:#x} hold some that this function does not take ({:#x})", flags, known);
}

wisp_status report(wisp_error* error, const Status& status) {
  const wisp_status number = status ? WISP_OK : status_of(status.error().code);
  if (!is_valid(error)) return number;
  error->status = number;
  error->message = status ? std::string() : status.error().message;
  return number;
}

}  // namespace wisp::api

using wisp::api::is_valid;

extern "C" {

const char* wisp_version(void) { return WISP_VERSION; }
uint32_t wisp_abi_version(void) { return wisp::api::kAbiVersion; }

const char* wisp_status_name(wisp_status status) {
  if (status == WISP_OK) return "ok";
  if (status < WISP_OK || status > WISP_ERROR_INTERNAL) return "unknown";
  return wisp::code_name(static_cast<Code>(status - 1)).data();  // of a literal
}

wisp_error* wisp_error_create(void) { return wisp::api::create<wisp_error>(); }
void wisp_error_destroy(wisp_error* error) { wisp::api::destroy(error); }
wisp_status wisp_error_status(const wisp_error* error) {
  return is_valid(error) ? error->status : WISP_ERROR_INVALID_ARGUMENT;
}
const char* wisp_error_message(const wisp_error* error) { return is_valid(error) ? error->message.c_str() : ""; }

}  // extern "C"
