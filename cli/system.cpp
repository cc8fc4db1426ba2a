#include "system.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace wisp::cli {
namespace {

// "Name:   1234 kB" in a file of such lines; 0 where it is missing.
std::uint64_t kib_field(const char* path, const std::string& name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream rest(line.substr(name.size() + 1));
    std::uint64_t kib = 0;
    rest >> kib;
    return kib * 1024;
  }
  return 0;
}

// A file that holds one number; 0 where it is missing or says "max".
std::uint64_t number_in(const char* path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return file ? number : 0;
}

// "name 1234" in a file of such lines, in bytes; 0 where it is missing.
std::uint64_t byte_field(const char* path, const std::string& name) {
  std::ifstream file(path);
  std::string key;
  for (std::uint64_t bytes = 0; file >> key >> bytes;) {
    if (key == name) return bytes;
  }
  return 0;
}

// What a container's processes hold and cannot drop: pages of files can be read again.
std::uint64_t held_by_container() {
  constexpr const char* kStat = "/sys/fs/cgroup/memory.stat";
  const std::uint64_t used = number_in("/sys/fs/cgroup/memory.current");
  return used - std::min(used, byte_field(kStat, "active_file") + byte_field(kStat, "inactive_file"));
}

}  // namespace

SystemMemory system_memory() {
  SystemMemory memory{kib_field("/proc/meminfo", "MemTotal"), kib_field("/proc/meminfo", "MemAvailable")};
  const std::uint64_t limit = number_in("/sys/fs/cgroup/memory.max");
  if (limit != 0 && limit < memory.total) {
    memory.total = limit;
    memory.available = std::min(memory.available, limit - std::min(limit, held_by_container()));
  }
  return memory;
}

std::uint64_t private_bytes() { return kib_field("/proc/self/status", "RssAnon"); }

}  // namespace wisp::cli
