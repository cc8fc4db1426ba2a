#include "gpu/js/js_device.h"

#include <array>
#include <utility>

#include "gpu/device/commands.h"

// Executes `words` words at `address` on the page's device `number`; 0 words: JsEnd in place of the address.
extern "C" __attribute__((import_module("wisp_gpu"), import_name("run"))) void wisp_gpu_run(std::uint32_t number,
                                                                                            std::uintptr_t address,
                                                                                            std::size_t words);

namespace wisp::gpu {

JsDevice::~JsDevice() { end(JsEnd::release); }

void JsDevice::run(const Commands& commands) {
  if (!lost().empty() || commands.empty()) return;
  count_buffers(commands);
  const std::span<const std::uint32_t> words = commands.words();
  wisp_gpu_run(number_, reinterpret_cast<std::uintptr_t>(words.data()), words.size());
}

void JsDevice::destroy() {
  end(JsEnd::destroy);
  note_lost("the device was destroyed on purpose");
}

void JsDevice::end(JsEnd how) const { wisp_gpu_run(number_, static_cast<std::uintptr_t>(how), 0); }

void JsDevice::answer(JsAnswer kind, Ticket ticket, std::uint32_t flags, std::string message) {
  if (!lost().empty()) return;
  switch (kind) {
    case JsAnswer::pipeline:
    case JsAnswer::read:
    case JsAnswer::done:
    case JsAnswer::error_scope:
      return deliver(ticket, {static_cast<Event::Kind>(kind), (flags & kJsOk) != 0, (flags & kJsOutOfMemory) != 0,
                              std::move(message)});
    case JsAnswer::uncaptured_error: return note_uncaptured_error(std::move(message));
    case JsAnswer::lost: return note_lost(std::move(message));
  }
}

namespace {

class InfoReader {
 public:
  explicit InfoReader(std::span<const std::uint32_t> words) : words_(words) {}
  std::uint32_t word() { return at_ < words_.size() ? words_[at_++] : 0; }
  std::uint64_t word64() {
    const std::uint64_t low = word();
    return low | std::uint64_t{word()} << 32;
  }

 private:
  std::span<const std::uint32_t> words_;
  std::size_t at_ = 0;
};

std::string take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string line(text.substr(0, end));
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

}  // namespace

Result<DeviceInfo> read_device_info(std::span<const std::uint32_t> words, std::string_view names) {
  constexpr std::size_t kWords = 21;
  if (words.size() != kWords) {
    return fail(Code::invalid_argument,
                "a device is described by {} words, not {}: module and page are of two versions", kWords, words.size());
  }
  InfoReader reader(words);
  DeviceInfo info;
  info.dialect = reader.word() == 1 ? Dialect::naga : Dialect::tint;
  constexpr std::array kTypes = {AdapterType::unknown, AdapterType::discrete, AdapterType::integrated,
                                 AdapterType::software};
  info.type = kTypes[reader.word() % kTypes.size()];
  const std::uint32_t features = reader.word();
  info.features = {(features & 1) != 0, (features & 2) != 0, (features & 4) != 0, (features & 8) != 0,
                   (features & 16) != 0};
  info.subgroup_min = reader.word();
  info.subgroup_max = reader.word();
  info.matrix_unit = {reader.word(), reader.word(), reader.word()};
  Limits& limits = info.limits;
  limits.max_buffer_bytes = reader.word64();
  limits.max_binding_bytes = reader.word64();
  limits.max_storage_buffers = reader.word();
  limits.max_workgroup_bytes = reader.word();
  limits.max_invocations = reader.word();
  for (std::uint32_t& size : limits.max_workgroup_size) size = reader.word();
  limits.max_workgroups = reader.word();
  limits.storage_alignment = reader.word();
  limits.uniform_alignment = reader.word();
  info.timestamp_nanoseconds = 1.0;  // WebGPU's unit in a page
  for (std::string* name : {&info.name, &info.vendor, &info.driver, &info.backend}) *name = take_line(names);
  return info;
}

}  // namespace wisp::gpu
