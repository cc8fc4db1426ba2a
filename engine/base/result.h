// Errors are values. Every call that can fail returns Result<T>: nothing in the engine throws, and no input aborts it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/format.h"

namespace wisp {

// Stable codes. They reach users as words (`code_name`), in JSON and through the C interface, so they are only ever
// added to.
enum class Code : std::uint8_t {
  invalid_argument,  // the caller asked for something that makes no sense: a bug or a usage error
  invalid_file,      // the bytes contradict their format or each other
  unsupported,       // well formed, but this engine does not know it (type, architecture, tokenizer, ...)
  not_found,         // a named thing (file, tensor, key, sequence) does not exist
  io,                // the system refused to read or write
  out_of_memory,     // the machine, or the budget it was given, is too small
  need_more_data,    // a source that is fed in pieces does not hold these bytes yet; feed it and ask again
  limit,             // a bound set on purpose (context, queue, steps, size) would be passed
  cancelled,         // the caller withdrew the request
  device,            // the machine or device lacks or lost something
  internal,          // an invariant of the engine is broken; please report
};

// "invalid_file", "out_of_memory", ...
constexpr std::string_view code_name(Code code) {
  switch (code) {
    case Code::invalid_argument: return "invalid_argument";
    case Code::invalid_file: return "invalid_file";
    case Code::unsupported: return "unsupported";
    case Code::not_found: return "not_found";
    case Code::io: return "io";
    case Code::out_of_memory: return "out_of_memory";
    case Code::need_more_data: return "need_more_data";
    case Code::limit: return "limit";
    case Code::cancelled: return "cancelled";
    case Code::device: return "device";
    case Code::internal: return "internal";
  }
  return "internal";
}

// What went wrong: a stable code and a sentence that says what is wrong, where, and what to do about it.
struct Error {
  Code code = Code::internal;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// return fail(Code::invalid_file, "tensor '{}': offset {} is not a multiple of {}", name, offset, alignment);
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(Code code, fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected<Error>(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}

// The same failure with a place in front: "while reading 'x.gguf': <message>".
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail_in(Error cause, fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected<Error>(
      Error{cause.code, fmt::format(text, std::forward<Args>(args)...) + ": " + cause.message});
}

}  // namespace wisp

#define WISP_CONCAT_(a, b) a##b
#define WISP_CONCAT(a, b) WISP_CONCAT_(a, b)

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration and a name cannot stand in parentheses.

// WISP_TRY(auto header, read_header(source));  binds the value, or returns the error from the enclosing function.
#define WISP_TRY(declaration, expression) WISP_TRY_(declaration, (expression), WISP_CONCAT(wisp_try_, __LINE__))
#define WISP_TRY_(declaration, expression, temporary)                                    \
  auto temporary = expression;                                                           \
  if (!temporary) return ::std::unexpected<::wisp::Error>(std::move(temporary).error()); \
  declaration = std::move(*temporary)

// WISP_CHECK(write_header(sink));  for a Status whose value is nothing.
#define WISP_CHECK(expression)                                                                 \
  do {                                                                                         \
    auto wisp_status = (expression);                                                           \
    if (!wisp_status) return ::std::unexpected<::wisp::Error>(std::move(wisp_status).error()); \
  } while (false)

// NOLINTEND(bugprone-macro-parentheses)
