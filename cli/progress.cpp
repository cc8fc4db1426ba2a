#include "progress.h"

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/format.h"
#include "output.h"

namespace wisp::cli {
namespace {

constexpr std::uint64_t kRedrawNs = 100'000'000;
constexpr std::size_t kBarWidth = 30;

}  // namespace

Progress::Progress(std::string what, bool enabled)
    : what_(std::move(what)), enabled_(enabled && stderr_is_terminal()), last_ns_(now_ns()) {}

Progress::~Progress() { clear(); }

void Progress::show(std::uint64_t done, std::uint64_t total, const std::string& detail) {
  if (!enabled_ || total == 0) return;
  // Work that is over within the first tenth of a second shows nothing at all.
  const std::uint64_t now = now_ns();
  if (now - last_ns_ < kRedrawNs) return;
  last_ns_ = now;
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(share * kBarWidth);
  fmt::print(stderr, "\r\x1b[K{} [{}{}] {:3.0f} %  {}", what_, std::string(full, '='),
             std::string(kBarWidth - full, ' '), share * 100, detail);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace wisp::cli
