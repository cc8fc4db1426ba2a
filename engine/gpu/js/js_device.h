// A Device that lives in JavaScript: web/gpu/ executes its streams on a GPUDevice of the page, behind the one import
// wisp_gpu.run, and answers through the export wisp_gpu_event (api/wasm_gpu.cpp). Events come between calls into the
// module, from the page's event loop; only refusals come while run() is under way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

// What the page tells: an event of a ticket by Event::Kind, or one of these. web/gpu/answers.mjs has the same numbers.
enum class JsAnswer : std::uint32_t { pipeline = 0, read, done, error_scope, uncaptured_error, lost };
inline constexpr std::uint32_t kJsOk = 1, kJsOutOfMemory = 2;

// In place of a stream: the device ends. 0 is no opcode.
enum class JsEnd : std::uint32_t { destroy = 0, release };

class JsDevice final : public Device {
 public:
  // `number`: the page's own name of the device.
  JsDevice(std::uint32_t number, DeviceInfo info) : Device(std::move(info)), number_(number) {}
  ~JsDevice() override;  // the page answers nothing more

  void run(const Commands& commands) override;
  void poll() override {}
  [[nodiscard]] bool can_wait() const override { return false; }
  bool wait(Ticket ticket) override { return has(ticket); }
  void destroy() override;

  void answer(JsAnswer kind, Ticket ticket, std::uint32_t flags, std::string message);

 private:
  void end(JsEnd how) const;

  std::uint32_t number_;
};

// What web/gpu/info.mjs packed: numbers in the order of DeviceInfo, 64 bits as two words, and the four names as lines.
Result<DeviceInfo> read_device_info(std::span<const std::uint32_t> words, std::string_view names);

}  // namespace wisp::gpu
