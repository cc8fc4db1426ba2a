// wisp doctor --device gpu: the WebGPU adapters of this machine.
#pragma once

#include "base/result.h"

namespace wisp::cli {

// Prints every adapter with its features and limits, and which one --device gpu would take. Code::device when there is
// none.
Status doctor_gpu(bool as_json);

}  // namespace wisp::cli
