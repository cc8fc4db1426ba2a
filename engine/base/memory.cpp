#include "base/memory.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/checked.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace wisp {

#if defined(__linux__)
namespace {
// Blocks of at least this size are mapped: zeroed lazily by the system.
constexpr std::size_t kMapThreshold = std::size_t{1} << 20;
// And these are backed by huge pages where it has them: a decode step walks all weights once, so TLB misses would show.
constexpr std::size_t kHugeThreshold = std::size_t{4} << 20;
}  // namespace
#endif

Result<Buffer> Buffer::allocate(std::uint64_t bytes, std::string_view owner) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  const auto rounded = checked_align_up<std::uint64_t>(bytes, kBufferAlignment);
  if (!rounded || *rounded > SIZE_MAX / 2) {
    return fail(Code::out_of_memory, "{} wants {} bytes, more than this machine can address", owner, bytes);
  }
  const std::size_t size = static_cast<std::size_t>(*rounded);
#if defined(__linux__)
  if (size >= kMapThreshold) {
    void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      return fail(Code::out_of_memory, "{} wants {}, which the system refused", owner, format_bytes(bytes));
    }
    // Advice only: its refusal changes nothing.
    if (size >= kHugeThreshold) madvise(mapped, size, MADV_HUGEPAGE);
    buffer.data_ = static_cast<std::byte*>(mapped);
    buffer.mapped_ = true;
  }
#endif
  if (buffer.data_ == nullptr) {
    buffer.data_ = static_cast<std::byte*>(std::aligned_alloc(kBufferAlignment, size));
    if (buffer.data_ == nullptr) {
      return fail(Code::out_of_memory, "{} wants {}, which the system refused", owner, format_bytes(bytes));
    }
    std::memset(buffer.data_, 0, size);
  }
  buffer.size_ = static_cast<std::size_t>(bytes);
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, false)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  Buffer taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(size_, taken.size_);
  std::swap(mapped_, taken.mapped_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
#if defined(__linux__)
  if (mapped_) {
    munmap(data_, align_up(size_, kBufferAlignment));
    return;
  }
#endif
  std::free(data_);
}

}  // namespace wisp
