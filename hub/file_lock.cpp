#include "hub/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace wisp::hub {

Result<FileLock> FileLock::try_acquire(const std::string& path) {
  while (true) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return fail(Code::device, "cannot write {}: {}", printable(path, 400), std::strerror(errno));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      const bool held = errno == EWOULDBLOCK;
      const std::string why = std::strerror(errno);
      ::close(file);
      if (held) return fail(Code::limit, "another wisp is fetching it");
      return fail(Code::io, "cannot lock {}: {}", printable(path, 400), why);
    }
    // The one who held it removes the file: then this is the lock of a name that is gone.
    struct stat here = {}, there = {};
    if (::fstat(file, &here) == 0 && ::stat(path.c_str(), &there) == 0 && here.st_ino == there.st_ino &&
        here.st_dev == there.st_dev) {
      return FileLock(path, file);
    }
    ::close(file);
  }
}

Result<FileLock> FileLock::acquire(const std::string& path, const std::function<bool()>& waiting) {
  while (true) {
    Result<FileLock> lock = try_acquire(path);
    if (lock || lock.error().code != Code::limit) return lock;
    if (!waiting()) return fail(Code::cancelled, "stopped while another wisp fetches the same");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

FileLock::~FileLock() {
  if (file_ < 0) return;
  ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace wisp::hub
