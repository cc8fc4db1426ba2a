// What was found out about devices, kept from run to run: which way won for each key, how long it took, and which ways
// were wrong. The text form is what a file or a browser's storage holds; it is read back as a stranger's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gpu/device/device.h"

namespace wisp::gpu {

// What a choice is valid for: another device, driver or wisp measures again.
std::string device_key(const DeviceInfo& info);

struct Choice {
  std::string candidate;
  std::uint64_t nanoseconds = 0;  // of one run when it was chosen; 0: not measured
};

class TuningMemory {
 public:
  TuningMemory() = default;
  // For one device. What `text` holds of other devices is kept and written back.
  // Code::invalid_file names the line; the memory is then empty, which only costs time.
  static Result<TuningMemory> parse(std::string_view text, std::string device);
  explicit TuningMemory(std::string device) : device_(std::move(device)) {}

  [[nodiscard]] std::optional<Choice> find(std::string_view key) const;
  void remember(std::string_view key, Choice choice);
  void forget(std::string_view key);  // the choice, not what is disabled

  // A way that gave wrong numbers or did not compile is not tried again.
  void disable(std::string_view key, std::string_view candidate, std::string_view reason);
  [[nodiscard]] const std::string* disabled(std::string_view key, std::string_view candidate) const;

  // Of this device.
  [[nodiscard]] bool knows_any() const { return devices_.contains(device_); }
  [[nodiscard]] std::string text() const;
  // Whether something was added since the last text().
  [[nodiscard]] bool changed() const { return changed_; }

 private:
  struct Entry {
    std::optional<Choice> choice;
    std::map<std::string, std::string, std::less<>> disabled;  // candidate -> reason
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  Entries& mine() { return devices_[device_]; }

  std::string device_;
  std::map<std::string, Entries, std::less<>> devices_;
  mutable bool changed_ = false;
};

}  // namespace wisp::gpu
