// Memory whose size an input decides is asked for here: a refusal is an Error, never std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace wisp {

// Cache lines and the widest vector registers are 64 bytes.
inline constexpr std::size_t kBufferAlignment = 64;

// One owned, zeroed block, aligned to kBufferAlignment. Large blocks come straight from the system and are committed
// page by page on first touch, so a generous size costs nothing until it is used. Movable, not copyable.
class Buffer {
 public:
  Buffer() = default;
  // `owner` names who asked ("weights", "kv pool") in the error text. Zero bytes give an empty buffer.
  static Result<Buffer> allocate(std::uint64_t bytes, std::string_view owner);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<std::byte> bytes() const { return {data_, size_}; }
  // The buffer as `size() / sizeof(T)` objects of a trivial type.
  template <class T>
  [[nodiscard]] std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
};

}  // namespace wisp
