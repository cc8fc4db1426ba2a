// Text formatting for the whole engine: {fmt} without exceptions (checked format strings make its failures unreachable)
// and without locales (a message must read the same everywhere, and they would be half of a small wasm module).
//
// Only fmt's core header is included here, and the rest is compiled once, in fmt_library.cpp: its full header costs
// three seconds of compile time in every file that can fail.
#pragma once

// clang-format off: the configuration first
#include "base/fmt_config.h"
#include <fmt/core.h>
// clang-format on

#include <cstdint>
#include <string>
#include <string_view>

namespace wisp {

// "7.5 MiB": binary units, one decimal from 10 KiB on. For messages and tables, never for parsing.
std::string format_bytes(std::uint64_t bytes);

// A string from a file made fit for a message: control bytes and invalid UTF-8 escaped as \xNN, cut at `max_bytes`.
std::string printable(std::string_view untrusted, std::size_t max_bytes = 80);

}  // namespace wisp
