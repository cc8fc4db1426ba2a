#include "tests/gpu_kernel_checks.h"

#include <array>
#include <vector>

#include "gpu/kernels/catalogue.h"
#include "gpu/pipelines.h"
#include "gpu/tuner/tuning_task.h"
#include "tests/gpu_check_tools.h"

namespace wisp::test {

GpuCheck compiles_every_kernel(gpu::Device& device) {
  const Result<std::vector<gpu::Kernel>> kernels = gpu::kernel_catalogue(device.info());
  CHECK_THAT(kernels, "{}", kernels.error().message);
  CHECK_THAT(kernels->size() > 100, "there are {} kernels", kernels->size());
  gpu::Pipelines pipelines(device);
  for (const gpu::Kernel& kernel : *kernels) {
    const Status fitting = gpu::fits(kernel, device.info().limits);
    CHECK_THAT(fitting, "{}: {}", kernel.label, fitting.error().message);
    pipelines.get(kernel);
  }
  for (gpu::Ticket ticket = pipelines.waits_for(); ticket != gpu::Ticket::none; ticket = pipelines.waits_for()) {
    co_await Until{[&device, ticket] { return device.has(ticket) || !device.lost().empty(); }};
    const Result<bool> compiled = pipelines.poll();
    CHECK_THAT(compiled, "{}", compiled.error().message);
  }
  CHECK_THAT(pipelines.compiled() >= kernels->size(), "{} of {} were compiled", pipelines.compiled(), kernels->size());
  co_return "";
}

}  // namespace wisp::test
