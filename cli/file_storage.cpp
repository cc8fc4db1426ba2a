#include "file_storage.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/format.h"
#include "base/log.h"

namespace wisp::cli {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// With its parents.
void make_folder(const std::string& path) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    ::mkdir(path.substr(0, end).c_str(), 0700);
  }
  ::mkdir(path.c_str(), 0700);
}

}  // namespace

std::string cache_folder() {
  // By the XDG Base Directory specification a relative path is as good as none.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/') {
    return std::string(cache) + "/wisp";
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.cache/wisp" : std::string();
}

std::string FileStorage::read(std::string_view name) {
  if (folder_.empty()) return {};
  const File file(std::fopen(fmt::format("{}/{}", folder_, name).c_str(), "rb"));
  std::string text;
  char buffer[4096];
  std::size_t count = 0;
  while (file != nullptr && (count = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) {
    text.append(buffer, count);
    if (text.size() > kMostBytes) return {};
  }
  return text;
}

void FileStorage::write(std::string_view name, std::string_view text) {
  if (folder_.empty()) return;
  make_folder(folder_);
  const std::string path = fmt::format("{}/{}", folder_, name);
  const std::string unfinished = fmt::format("{}.{}", path, ::getpid());
  File file(std::fopen(unfinished.c_str(), "wb"));
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                       std::fclose(file.release()) == 0 && std::rename(unfinished.c_str(), path.c_str()) == 0;
  if (written) return;
  std::remove(unfinished.c_str());
  log_warning("{} could not be written; the next start finds out the same again", path);
}

}  // namespace wisp::cli
