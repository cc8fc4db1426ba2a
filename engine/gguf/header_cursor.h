// Walks over the header of a GGUF file from front to back. Every read is checked against the bytes that are left, so no
// length in the file can lead past its end or to an allocation larger than the file.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/byte_source.h"

namespace wisp::gguf {

static_assert(std::endian::native == std::endian::little, "GGUF is little-endian, and so are all our targets");

class HeaderCursor {
 public:
  explicit HeaderCursor(ByteSource& source) : source_(source), size_(source.size()) {}

  [[nodiscard]] std::uint64_t position() const { return window_start_ + next_; }
  [[nodiscard]] std::uint64_t remaining() const { return size_ - position(); }

  // The next value of a fixed-size type. `what` names it in the error: "the tensor count".
  template <class T>
  Result<T> number(std::string_view what) {
    if (window_.size() - next_ < sizeof(T)) WISP_CHECK(refill(sizeof(T), what));
    T value;
    std::memcpy(&value, window_.data() + next_, sizeof(T));
    next_ += sizeof(T);
    return value;
  }

  // A string: u64 length, then that many bytes; at most `limit`.
  Result<std::string> text(std::string_view what, std::uint64_t limit) {
    WISP_TRY(const std::uint64_t length, number<std::uint64_t>(what));
    if (length > remaining()) {
      return fail(Code::invalid_file, "{} claims {} bytes at byte {}, but only {} are left in the file", what, length,
                  position(), remaining());
    }
    if (length > limit) return fail(Code::limit, "{} is {} bytes long; the limit is {}", what, length, limit);
    const std::size_t count = static_cast<std::size_t>(length);
    if (window_.size() - next_ < count) WISP_CHECK(refill(count, what));
    std::string value(reinterpret_cast<const char*>(window_.data() + next_), count);
    next_ += count;
    return value;
  }

 private:
  // Moves the window so that it starts here and holds at least `needed` bytes. It grows with the position, so a header
  // takes few reads, a source fed on demand is asked few times, and at most about as much again is read past its end.
  Status refill(std::size_t needed, std::string_view what);

  static constexpr std::uint64_t kSmallestWindow = 4096;
  static constexpr std::uint64_t kLargestWindow = 1u << 22;

  ByteSource& source_;
  std::uint64_t size_;
  std::uint64_t window_start_ = 0;  // where window_ lies in the file
  std::vector<std::byte> window_;
  std::size_t next_ = 0;  // index into window_
};

}  // namespace wisp::gguf
