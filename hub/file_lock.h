// Holds off other processes that would fetch the same file.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/result.h"

namespace wisp::hub {

class FileLock {
 public:
  // Waits while another process holds it: `waiting` is called about ten times a second then; false stops with
  // Code::cancelled. The lock's own file is made where it is not there.
  static Result<FileLock> acquire(const std::string& path, const std::function<bool()>& waiting);
  // Code::limit where another process holds it.
  static Result<FileLock> try_acquire(const std::string& path);

  FileLock(FileLock&& other) noexcept : path_(std::move(other.path_)), file_(other.file_) { other.file_ = -1; }
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
  }
  // Removes its file and lets go.
  ~FileLock();

 private:
  FileLock(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::string path_;
  int file_;
};

}  // namespace wisp::hub
