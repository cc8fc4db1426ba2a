// Integer expressions of the template language (template.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "gpu/shader/template.h"

namespace wisp::gpu {

// || && == != < <= > >= + - * / % ! ( ), whole numbers, names of defines, defined(NAME). Code::internal says what is
// wrong: a name that is not defined or no number, a division by zero, something left over.
Result<std::int64_t> evaluate(std::string_view text, const Defines& defines);

}  // namespace wisp::gpu
