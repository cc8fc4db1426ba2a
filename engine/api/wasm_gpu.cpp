// The page's GPU in the module: web/gpu/host.mjs opens a device and calls these. A page that has none never does.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "api/wasm_export.h"
#include "gpu/js/js_device.h"

using wisp::gpu::JsAnswer;
using wisp::gpu::JsDevice;
using wisp::gpu::Ticket;

// The page's device `number`, described as read_device_info() wants it. 0: module and page do not fit together. It
// belongs to whoever it is given to next, or to the page until then.
WISP_EXPORT(wisp_gpu_create)
JsDevice* wisp_gpu_create(std::uint32_t number, const std::uint32_t* info, std::size_t words, const char* names,
                          std::size_t bytes) {
  auto read = wisp::gpu::read_device_info({info, words}, {names, bytes});
  return read ? new (std::nothrow) JsDevice(number, std::move(*read)) : nullptr;
}

WISP_EXPORT(wisp_gpu_destroy) void wisp_gpu_destroy(JsDevice* device) { delete device; }

// An answer of the page; the text is copied.
WISP_EXPORT(wisp_gpu_event)
void wisp_gpu_event(JsDevice* device, std::uint32_t kind, std::uint32_t ticket, std::uint32_t flags, const char* text,
                    std::size_t bytes) {
  device->answer(static_cast<JsAnswer>(kind), Ticket{ticket}, flags, std::string(text, bytes));
}
