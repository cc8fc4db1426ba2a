// The byte sources that are files: mapped, or read by pread. A browser has neither; it feeds a StreamSource.
#include "gguf/byte_source.h"

#if defined(__unix__) || defined(__APPLE__)

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/checked.h"

namespace wisp::gguf {

namespace {

// An open regular file; closes itself.
class Descriptor {
 public:
  static Result<Descriptor> open(const std::string& path) {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer before it can be refused.
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.number_ < 0) {
      const int reason = errno;
      const Code code = reason == ENOENT || reason == ENOTDIR ? Code::not_found : Code::io;
      return fail(code, "cannot open {}: {}", printable(path, 400), std::strerror(reason));
    }
    struct stat status = {};
    if (fstat(file.number_, &status) != 0) {
      return fail(Code::io, "cannot examine {}: {}", printable(path, 400), std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
      return fail(Code::io, "{} is {}; a model must be a regular file", printable(path, 400),
                  S_ISDIR(status.st_mode) ? "a directory" : "a pipe or device");
    }
    file.size_ = static_cast<std::uint64_t>(status.st_size);
    return file;
  }

  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)), size_(other.size_) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  explicit Descriptor(int number) : number_(number) {}
  int number_;
  std::uint64_t size_ = 0;
};

std::unexpected<Error> past_end(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  return fail(Code::invalid_file, "bytes [{}, +{}) lie past the end ({} bytes)", offset, length, size);
}

class MappedSource final : public ByteSource {
 public:
  // `data` is a mapping of `size` bytes, or null for an empty file.
  MappedSource(std::byte* data, std::size_t size, std::string name)
      : data_(data), size_(size), name_(std::move(name)) {}
  ~MappedSource() override {
    if (data_ != nullptr) munmap(data_, size_);
  }

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] const std::string& name() const override { return name_; }

  Status read(std::uint64_t offset, std::span<std::byte> out) override {
    if (!range_fits(offset, out.size(), size_)) return past_end(offset, out.size(), size_);
    if (!out.empty()) std::memcpy(out.data(), data_ + offset, out.size());
    count_read(out.size());
    return {};
  }

  [[nodiscard]] std::span<const std::byte> view(std::uint64_t offset, std::uint64_t length) override {
    if (!range_fits(offset, length, size_)) return {};
    count_read(length);
    return {data_ + offset, static_cast<std::size_t>(length)};
  }

  void will_need(std::uint64_t offset, std::uint64_t length) override {
    if (length == 0 || !range_fits(offset, length, size_)) return;
    const std::uint64_t page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const std::uint64_t start = offset / page * page;
    madvise(data_ + start, static_cast<std::size_t>(offset + length - start), MADV_WILLNEED);
  }

 private:
  std::byte* data_;
  std::size_t size_;
  std::string name_;
};

class PreadSource final : public ByteSource {
 public:
  PreadSource(Descriptor file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  [[nodiscard]] std::uint64_t size() const override { return file_.size(); }
  [[nodiscard]] const std::string& name() const override { return name_; }

  Status read(std::uint64_t offset, std::span<std::byte> out) override {
    if (!range_fits(offset, out.size(), file_.size())) return past_end(offset, out.size(), file_.size());
    const std::size_t total = out.size();
    while (!out.empty()) {
      const ssize_t got = ::pread(file_.number(), out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        return fail(Code::io, "reading {} at byte {}: {}", printable(name_, 400), offset, std::strerror(errno));
      if (got == 0) return fail(Code::io, "{} became shorter while it was read", printable(name_, 400));
      offset += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
    count_read(total);
    return {};
  }

  void will_need([[maybe_unused]] std::uint64_t offset, [[maybe_unused]] std::uint64_t length) override {
#if defined(__linux__)
    if (range_fits(offset, length, file_.size())) {
      posix_fadvise(file_.number(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
    }
#endif
  }

 private:
  Descriptor file_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_mapped(const std::string& path) {
  WISP_TRY(Descriptor file, Descriptor::open(path));
  if (file.size() > SIZE_MAX) return fail(Code::limit, "{} is too large to map here", printable(path, 400));
  const std::size_t size = static_cast<std::size_t>(file.size());
  if (size == 0) return std::make_unique<MappedSource>(nullptr, 0, path);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (data == MAP_FAILED) return fail(Code::io, "cannot map {}: {}", printable(path, 400), std::strerror(errno));
  return std::make_unique<MappedSource>(static_cast<std::byte*>(data), size, path);
}

Result<std::unique_ptr<ByteSource>> open_pread(const std::string& path) {
  WISP_TRY(Descriptor file, Descriptor::open(path));
  return std::make_unique<PreadSource>(std::move(file), path);
}

}  // namespace wisp::gguf

#else

namespace wisp::gguf {

Result<std::unique_ptr<ByteSource>> open_mapped(const std::string& path) {
  return fail(Code::unsupported, "{}: this build has no file system; feed the bytes instead", printable(path, 400));
}

Result<std::unique_ptr<ByteSource>> open_pread(const std::string& path) { return open_mapped(path); }

}  // namespace wisp::gguf

#endif
