#include "private_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "interrupt.h"
#include "output.h"

#include <fcntl.h>
#include <unistd.h>

namespace wisp::cli {
namespace {

std::unexpected<Error> cannot_keep(const std::string& path) {
  return fail(Code::device, "cannot write {}: {}", printable(path, 400), std::strerror(errno));
}

std::unexpected<Error> cannot_create(const std::string& path) {
  return fail(Code::io, "cannot create {}: {}", printable(path, 400), std::strerror(errno));
}

std::string part_of(const std::string& path) { return fmt::format("{}.{}.part", path, getpid()); }

// A file that goes away again unless it is renamed.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        unfinished_(path_),
        file_(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (file_ < 0) return;
    close(file_);
    unlink(path_.c_str());
  }
  [[nodiscard]] bool opened() const { return file_ >= 0; }

  bool write_all(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
  }
  bool become(const std::string& path) {
    if (fsync(file_) != 0 || rename(path_.c_str(), path.c_str()) != 0) return false;
    return close(std::exchange(file_, -1)) == 0;
  }

 private:
  std::string path_;
  UnfinishedFile unfinished_;
  int file_;
};

}  // namespace

Status try_private_file(const std::string& path) {
  const NewFile file(part_of(path));
  return file.opened() ? Status() : cannot_create(path);
}

Status write_private_file(const std::string& path, std::span<const std::byte> bytes) {
  NewFile file(part_of(path));
  if (!file.opened()) return cannot_create(path);
  if (!file.write_all(bytes) || !file.become(path)) return cannot_keep(path);
  return {};
}

}  // namespace wisp::cli
