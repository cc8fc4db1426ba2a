// Fetches one file by HTTP, in several ranges at once where the server has ranges, and goes on where an earlier process
// ended. Nothing that a server does leaves a wrong file behind: a file gets its name only after it was checked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hub/http.h"
#include "hub/part_file.h"

namespace wisp::hub {

struct DownloadRequest {
  std::string url;
  std::string shown;   // what messages call it; without a query
  std::string source;  // identity of what is fetched, for going on later; without a query too
  std::string path;    // where the file goes; its folder is there
  Access access;
  std::uint64_t size = 0;  // as the repository says; 0: the server will tell
  std::string sha256;      // as the repository or the user says; "": none, unless the server names it (X-Linked-Etag)
  int connections = 4;
  Patience patience;
};

struct DownloadHooks {
  // Called at least ten times a second; false stops with Code::cancelled. What came stays, to go on with.
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress;
  // The same while the file is checked.
  std::function<bool(std::uint64_t done, std::uint64_t total)> checking;
  // Remarks: the file has changed, the server has no ranges, a retry.
  std::function<void(std::string_view)> say;
};

// What a file turned out to be.
struct Fetched {
  std::uint64_t size = 0;
  std::string sha256;         // of its bytes
  bool sha256_known = false;  // somebody had told it before, and it agrees
  std::string etag;
  std::string commit;  // X-Repo-Commit; "" where the server tells none
};

class Download {
 public:
  // Takes up what an earlier process left, where it is of the same file.
  Download(DownloadRequest request, DownloadHooks hooks);
  ~Download();
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  // Until the first `bytes` of the file are there, or all of a shorter one. From a server without ranges everything
  // comes at once. Code::invalid_file for what cannot be a model; Code::io for a server that does not deliver;
  // Code::not_found for what it refuses; Code::device for a full disk.
  Status fetch(std::uint64_t bytes);
  Status fetch_all() { return fetch(~std::uint64_t{0}); }
  // After fetch_all(): checks size and hash, and gives the file its name. A file that is not what was promised is
  // removed, with Code::invalid_file.
  Result<Fetched> finish();

  [[nodiscard]] std::uint64_t size() const;            // known after the first fetch()
  [[nodiscard]] std::uint64_t resumed_bytes() const;   // that an earlier process had fetched
  [[nodiscard]] std::uint64_t received_bytes() const;  // that came over the network by this one
  Status read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  class Transfers;
  std::unique_ptr<Transfers> transfers_;
};

}  // namespace wisp::hub
