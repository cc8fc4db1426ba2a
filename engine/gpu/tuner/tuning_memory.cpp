#include "gpu/tuner/tuning_memory.h"

#include <array>
#include <charconv>

namespace wisp::gpu {
namespace {

// Lines of fields that are parted by tabs:
//   wisp tuning 1
//   device <key>
//   choice <key> <candidate> <nanoseconds>
//   disabled <key> <candidate> <reason>
constexpr std::string_view kHead = "wisp tuning 1";
constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr std::size_t kMostFields = 4;

// No field may hold what parts fields and lines.
std::string plain(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return result;
}

struct Line {
  std::array<std::string_view, kMostFields> fields;
  std::size_t count = 0;
};

Line split(std::string_view text) {
  Line line;
  while (line.count < kMostFields) {
    const std::size_t tab = text.find('\t');
    line.fields[line.count++] = text.substr(0, tab);
    if (tab == std::string_view::npos) break;
    text.remove_prefix(tab + 1);
  }
  return line;
}

}  // namespace

std::string device_key(const DeviceInfo& info) {
  return plain(fmt::format("{} / {} / {} / {}", info.name, info.vendor, info.driver, info.backend));
}

Result<TuningMemory> TuningMemory::parse(std::string_view text, std::string device) {
  TuningMemory memory(std::move(device));
  if (text.empty()) return memory;
  if (text.size() > kMostBytes) {
    return fail(Code::limit, "the tuning memory has {} bytes; the limit is {}", text.size(), kMostBytes);
  }
  Entries* entries = nullptr;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const Line line = split(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (number == 1) {
      if (line.count != 1 || line.fields[0] != kHead) {
        return fail(Code::invalid_file, "the tuning memory does not start with '{}'", kHead);
      }
    } else if (line.count == 2 && line.fields[0] == "device") {
      entries = &memory.devices_[std::string(line.fields[1])];
    } else if (line.count == 4 && line.fields[0] == "choice" && entries != nullptr) {
      Choice choice{std::string(line.fields[2]), 0};
      const std::string_view digits = line.fields[3];
      const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), choice.nanoseconds);
      if (error != std::errc{} || rest != digits.data() + digits.size()) {
        return fail(Code::invalid_file, "line {} of the tuning memory has no number of nanoseconds", number);
      }
      (*entries)[std::string(line.fields[1])].choice = std::move(choice);
    } else if (line.count == 4 && line.fields[0] == "disabled" && entries != nullptr) {
      (*entries)[std::string(line.fields[1])].disabled[std::string(line.fields[2])] = std::string(line.fields[3]);
    } else {
      return fail(Code::invalid_file, "line {} of the tuning memory is none of its kinds", number);
    }
  }
  return memory;
}

std::optional<Choice> TuningMemory::find(std::string_view key) const {
  const auto entries = devices_.find(device_);
  if (entries == devices_.end()) return std::nullopt;
  const auto entry = entries->second.find(key);
  return entry == entries->second.end() ? std::nullopt : entry->second.choice;
}

void TuningMemory::remember(std::string_view key, Choice choice) {
  choice.candidate = plain(choice.candidate);
  mine()[plain(key)].choice = std::move(choice);
  changed_ = true;
}

void TuningMemory::forget(std::string_view key) {
  const auto entry = mine().find(key);
  if (entry == mine().end()) return;
  entry->second.choice.reset();
  changed_ = true;
}

void TuningMemory::disable(std::string_view key, std::string_view candidate, std::string_view reason) {
  Entry& entry = mine()[plain(key)];
  entry.disabled[plain(candidate)] = plain(reason);
  if (entry.choice && entry.choice->candidate == candidate) entry.choice.reset();
  changed_ = true;
}

const std::string* TuningMemory::disabled(std::string_view key, std::string_view candidate) const {
  const auto entries = devices_.find(device_);
  if (entries == devices_.end()) return nullptr;
  const auto entry = entries->second.find(key);
  if (entry == entries->second.end()) return nullptr;
  const auto reason = entry->second.disabled.find(candidate);
  return reason == entry->second.disabled.end() ? nullptr : &reason->second;
}

std::string TuningMemory::text() const {
  std::string text = fmt::format("{}\n", kHead);
  for (const auto& [device, entries] : devices_) {
    text += fmt::format("device\t{}\n", device);
    for (const auto& [key, entry] : entries) {
      if (entry.choice) {
        text += fmt::format("choice\t{}\t{}\t{}\n", key, entry.choice->candidate, entry.choice->nanoseconds);
      }
      for (const auto& [candidate, reason] : entry.disabled) {
        text += fmt::format("disabled\t{}\t{}\t{}\n", key, candidate, reason);
      }
    }
  }
  changed_ = false;
  return text;
}

}  // namespace wisp::gpu
