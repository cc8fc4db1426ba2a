#include "gguf/header_cursor.h"

#include <algorithm>

namespace wisp::gguf {

Status HeaderCursor::refill(std::size_t needed, std::string_view what) {
  const std::uint64_t here = position();
  if (needed > size_ - here) {
    return fail(Code::invalid_file, "the file ends inside {}: {} bytes are needed at byte {}, {} are left", what,
                needed, here, size_ - here);
  }
  const std::uint64_t generous = std::max<std::uint64_t>(needed, std::clamp(here, kSmallestWindow, kLargestWindow));
  window_start_ = here;
  next_ = 0;
  window_.resize(static_cast<std::size_t>(std::min(generous, size_ - here)));
  return source_.read(here, window_);
}

}  // namespace wisp::gguf
