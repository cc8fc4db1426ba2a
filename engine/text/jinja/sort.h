// Sorting by template values, whose comparison may fail or have no order (NaN): std::sort may not be given such.
#pragma once

#include <vector>

#include "base/result.h"
#include "text/jinja/context.h"
#include "text/jinja/value.h"

namespace wisp::text::jinja {

// Stable: sorts `values` by `keys` (the same number of each; they may be the same vector).
Status sort_values(Context& context, std::vector<Value>& values, const std::vector<Value>& keys, bool reverse);

}  // namespace wisp::text::jinja
