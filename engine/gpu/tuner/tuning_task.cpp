#include "gpu/tuner/tuning_task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wisp::gpu {

Status fits(const Kernel& kernel, const Limits& limits) {
  std::uint64_t invocations = 1;
  for (std::size_t i = 0; i < 3; ++i) {
    invocations *= kernel.workgroup[i];
    if (kernel.workgroup[i] > limits.max_workgroup_size[i]) {
      return fail(Code::device, "a workgroup {} wide in dimension {} is past the device's {}", kernel.workgroup[i], i,
                  limits.max_workgroup_size[i]);
    }
  }
  if (invocations > limits.max_invocations) {
    return fail(Code::device, "{} invocations a workgroup are past the device's {}", invocations,
                limits.max_invocations);
  }
  if (kernel.workgroup_bytes > limits.max_workgroup_bytes) {
    return fail(Code::device, "{} bytes of workgroup memory are past the device's {}", kernel.workgroup_bytes,
                limits.max_workgroup_bytes);
  }
  // The step and the arena are two more.
  const std::int64_t storage = 2 + std::ranges::count_if(kernel.bindings, [](BindingKind kind) {
                                 return kind == BindingKind::storage_read || kind == BindingKind::storage_read_write;
                               });
  if (storage > limits.max_storage_buffers) {
    return fail(Code::device, "{} storage buffers are past the device's {}", storage, limits.max_storage_buffers);
  }
  return {};
}

double relative_error(std::span<const float> actual, std::span<const float> expected) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size()) return kInfinite;
  double difference = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(actual[i])) return kInfinite;
    const double off = double{actual[i]} - double{expected[i]};
    difference += off * off;
    size += double{expected[i]} * double{expected[i]};
  }
  if (size == 0.0) return difference == 0.0 ? 0.0 : kInfinite;
  return std::sqrt(difference / size);
}

}  // namespace wisp::gpu
