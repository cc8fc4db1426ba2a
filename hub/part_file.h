// A file that is being fetched: its bytes in FILE.part, and beside it FILE.journal, which says what they are a part of
// and how far each piece has come. Both are kept so that a process may be killed at any moment: a count in the journal
// is raised only after its bytes were written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace wisp::hub {

// What the bytes are a part of. Another identity means that what is there is of no use.
struct FileIdentity {
  std::string source;  // canonical name or address, without secrets
  std::uint64_t size = 0;
  std::string sha256;     // "" where nobody told it
  std::string validator;  // the server's strong ETag, quotes included, or Last-Modified; "" where there is neither
};

class PartFile {
 public:
  // What an earlier run left for `path`, where it is whole and of this source. Code::not_found where there is nothing
  // that can be gone on with; the reason is in the message.
  static Result<PartFile> resume(const std::string& path, const std::string& source);
  // Starts anew, in place of whatever is there. Both files are for their owner only.
  static Result<PartFile> create(const std::string& path, FileIdentity identity);
  // Removes both files of `path`.
  static void discard(const std::string& path);
  static std::string part_path(const std::string& path) { return path + ".part"; }
  static std::string journal_path(const std::string& path) { return path + ".journal"; }

  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&& other) noexcept;
  ~PartFile();

  [[nodiscard]] const FileIdentity& identity() const { return identity_; }
  [[nodiscard]] const std::string& path() const { return path_; }  // of the file that it will be
  // Pieces are of equal length but for the last.
  [[nodiscard]] std::size_t pieces() const { return done_.size(); }
  [[nodiscard]] std::uint64_t piece_bytes() const { return piece_bytes_; }
  [[nodiscard]] std::uint64_t start_of(std::size_t piece) const { return piece * piece_bytes_; }
  [[nodiscard]] std::uint64_t length_of(std::size_t piece) const;
  [[nodiscard]] std::uint64_t done_of(std::size_t piece) const { return done_[piece]; }
  [[nodiscard]] bool complete(std::size_t piece) const { return done_[piece] == length_of(piece); }
  [[nodiscard]] std::uint64_t done_bytes() const;
  // Bytes from the start of the file on that are there without a gap.
  [[nodiscard]] std::uint64_t prefix() const;

  // Appends to what is there of `piece`; the bytes must not pass its end. Code::device where the disk is full.
  Status append(std::size_t piece, std::span<const char> bytes);
  Status read(std::uint64_t offset, std::span<std::byte> out) const;
  // All bytes are there: puts them on the disk. The file lies at part_path() then.
  Status sync();
  // Gives it its own name and removes the journal.
  Status finish();

 private:
  PartFile() = default;
  Status write_count(std::size_t piece);
  std::string path_;
  FileIdentity identity_;
  std::uint64_t piece_bytes_ = 0;
  std::vector<std::uint64_t> done_;
  std::uint64_t table_offset_ = 0;  // of the counts in the journal
  int part_ = -1, journal_ = -1;
};

}  // namespace wisp::hub
