// One question to a tuner that remembers nothing, answered on a device that can be waited for.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "gpu/tuner/tuner.h"

namespace wisp::test {

inline gpu::TuningResult tune(gpu::Device& device, gpu::TuningRequest request) {
  gpu::TuningMemory memory("a device");
  gpu::Tuner tuner(device, memory, gpu::TuneMode::fast);
  const std::string key = request.key;
  tuner.ask(std::move(request));
  while (true) {
    const Result<bool> done = tuner.poll();
    EXPECT_TRUE(done) << done.error().message;
    if (!done || *done) break;
    EXPECT_TRUE(device.wait(tuner.waits_for()));
  }
  EXPECT_EQ(device.take_uncaptured_error(), "");
  const gpu::TuningResult* result = tuner.result(key);
  return result == nullptr ? gpu::TuningResult() : *result;
}

}  // namespace wisp::test
