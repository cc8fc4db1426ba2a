// wisp doctor --device gpu --tuning and --print-wgsl: how the device computes matrix products, and the kernels' text.
#pragma once

#include <string>

#include "base/result.h"
#include "gpu/tuner/tuner.h"

namespace wisp::cli {

// Tries every way of the products of a 1 B llama shape in a few types, and tells candidates, their use of a workgroup's
// limits, time and choice. `adapter`: part of a name, or "".
Status doctor_tuning(const std::string& adapter, gpu::TuneMode mode, bool as_json);

// The text of every kernel whose label holds `kernel`, in the shapes of such a model, for that device. Code::not_found
// with the labels that there are.
Status print_wgsl(const std::string& adapter, const std::string& kernel);

}  // namespace wisp::cli
