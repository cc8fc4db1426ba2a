// What stands behind every handle of wisp.h, and how a C++ Result leaves a C function.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(__cpp_exceptions)
#include <exception>
#endif

#include "api/wisp.h"
#include "base/result.h"
#include "base/room.h"

namespace wisp::api {

// The first word of what a handle points at: tells kinds apart, and those that were destroyed where their memory still
// tells.
enum class Tag : std::uint32_t {
  gone = 0xDEAD0000u,
  error = 0x57495301u,
  buffer,
  source,
  model,
  options,
  engine,
  request,
  event,
  answer,
};

template <Tag kind>
struct Tagged {
  static constexpr Tag kTag = kind;
  Tag tag = kind;
  Tagged() = default;
  Tagged(const Tagged&) = delete;
  Tagged& operator=(const Tagged&) = delete;
  ~Tagged() { *const_cast<volatile Tag*>(&tag) = Tag::gone; }
};

template <class Handle>
bool is_valid(const Handle* handle) {
  return handle != nullptr && handle->tag == Handle::kTag;
}

template <class Handle>
void destroy(Handle* handle) {
  if (is_valid(handle)) delete handle;
}

template <class Handle>
Handle* create() {
  return new (std::nothrow) Handle;
}

// `what`: "the model".
template <class Handle>
Status check(const Handle* handle, std::string_view what) {
  if (handle == nullptr) return fail(Code::invalid_argument, "{} is NULL", what);
  if (handle->tag != Handle::kTag) return fail(Code::invalid_argument, "{} is a handle of another kind, or gone", what);
  return {};
}

// ---- arguments ----

// A text of a caller, `length` as wisp.h has it.
Result<std::string_view> text_argument(std::string_view what, const char* text, std::size_t length);
// Bytes of a caller.
Result<std::span<const std::byte>> bytes_argument(std::string_view what, const void* bytes, std::size_t count);
// Token ids of a caller: as many as any sequence may have.
Result<std::span<const std::int32_t>> ids_argument(std::string_view what, const std::int32_t* ids, std::size_t count);
// Code::invalid_argument for a flag that is not among `known`.
Status check_flags(std::uint32_t flags, std::uint32_t known);

// ---- results ----

// Puts the outcome into `error`, where that is one, and gives it as a status.
wisp_status report(wisp_error* error, const Status& status);

constexpr wisp_status status_of(Code code) { return static_cast<wisp_status>(1 + static_cast<int>(code)); }

// Calls `body`, which gives a Result or a Status. The engine throws nothing; but the C++ library does where small
// memory runs out, and that must not reach a C caller.
template <class Body>
std::invoke_result_t<Body> guarded(Body&& body) {
#if defined(__cpp_exceptions)
  try {
    return body();
  } catch (const std::exception& thrown) {
    return fail(Code::out_of_memory, "memory ran out in the middle of a call ({}); destroy what it was for",
                thrown.what());
  }
#else
  return body();
#endif
}

// The three ways in which a C function answers.
template <class Body>
wisp_status answer(wisp_error* error, Body&& body) {
  return report(error, guarded(std::forward<Body>(body)));
}
template <class Body>
auto answer_handle(wisp_error* error, Body&& body) -> typename std::invoke_result_t<Body>::value_type::pointer {
  auto made = guarded(std::forward<Body>(body));
  if (made)
    report(error, {});
  else
    report(error, std::unexpected(std::move(made).error()));
  return made ? made->release() : nullptr;
}
template <class Body>
std::uint64_t answer_number(wisp_error* error, Body&& body) {
  const Result<std::uint64_t> made = guarded(std::forward<Body>(body));
  if (made)
    report(error, {});
  else
    report(error, std::unexpected(made.error()));
  return made ? *made : 0;
}

}  // namespace wisp::api

struct wisp_error : wisp::api::Tagged<wisp::api::Tag::error> {
  wisp_status status = WISP_OK;
  std::string message;
};
