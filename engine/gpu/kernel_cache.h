// The kernels that a model used on a device the last time, so that the next start compiles them all at once while the
// weights load. Only a hint: a kernel that is not needed any more costs its compiling, and nothing else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"
#include "graph/graph.h"

namespace wisp::gpu {

// "kernels-<hash>": of the device with its driver, and of all that shapes kernels in the model.
std::string kernel_cache_name(const DeviceInfo& info, const graph::Graph& graph);

std::string write_kernels(const std::vector<Kernel>& kernels);
// Code::invalid_file where the text is damaged, cut or of another version.
Result<std::vector<Kernel>> read_kernels(std::string_view text);

}  // namespace wisp::gpu
