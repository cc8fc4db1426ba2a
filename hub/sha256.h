// SHA-256 by OpenSSL's libcrypto: libcurl brings it along, and it uses the processor's own instructions, which for
// files of many gigabytes is the difference between seconds and minutes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace wisp::hub {

// Told how many bytes are done; false stops the work with Code::cancelled.
using KeepGoing = std::function<bool(std::uint64_t done)>;

// Of a whole file: 64 hexadecimal digits in lower case.
Result<std::string> sha256_of_file(const std::string& path, const KeepGoing& keep_going);

}  // namespace wisp::hub
