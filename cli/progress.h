// A bar on stderr for work that takes a while. Draws only on a terminal, at most ten times a second, and removes
// itself.
#pragma once

#include <cstdint>
#include <string>

namespace wisp::cli {

class Progress {
 public:
  // `enabled` on top of the terminal being there: false for --quiet.
  Progress(std::string what, bool enabled);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `detail` stands behind the bar: "PPL 12.3", "1.2 of 4.0 GiB".
  void show(std::uint64_t done, std::uint64_t total, const std::string& detail);
  // Removes the bar, so that a line may be written.
  void clear();

 private:
  std::string what_;
  bool enabled_;
  bool drawn_ = false;
  std::uint64_t last_ns_ = 0;
};

}  // namespace wisp::cli
