// Text formatting for the whole engine: {fmt}, header only, with its exceptions turned into aborts that checked format
// strings make unreachable (the engine is built without exceptions).
#pragma once

#ifndef FMT_HEADER_ONLY
#define FMT_HEADER_ONLY
#endif
#ifndef FMT_EXCEPTIONS
#define FMT_EXCEPTIONS 0
#endif
// No locales: they would be more than half of a small wasm module, and a message must read the same everywhere.
#ifndef FMT_STATIC_THOUSANDS_SEPARATOR
#define FMT_STATIC_THOUSANDS_SEPARATOR ','
#endif
#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace wisp {

// "7.5 MiB": binary units, one decimal from 10 KiB on. For messages and tables, never for parsing.
std::string format_bytes(std::uint64_t bytes);

// A string from a file made fit for a message: control bytes and invalid UTF-8 escaped as \xNN, cut at `max_bytes`.
std::string printable(std::string_view untrusted, std::size_t max_bytes = 80);

}  // namespace wisp
