#include "hub/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace wisp::hub {
namespace {

constexpr std::uint64_t kMinPiece = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostPieces = 1u << 16;
constexpr std::size_t kCountBytes = 21;  // 20 digits and a line end
constexpr std::size_t kMostJournal = (std::size_t{1} << 16) + (kMostPieces * kCountBytes);

// About 16 pieces, of 1 to 64 MiB: small enough that connections share the end of a file, large enough that asking
// costs nothing.
std::uint64_t piece_for(std::uint64_t size) {
  const std::uint64_t sixteenth = (size / 16 + kMinPiece - 1) / kMinPiece * kMinPiece;
  const std::uint64_t bounded = std::clamp(sixteenth, kMinPiece, 64 * kMinPiece);
  return std::max(bounded, (size / kMostPieces / kMinPiece + 1) * kMinPiece);
}

// Changes when the machine starts anew: what was written shortly before it went down may be lost.
std::string boot_id() {
  char text[64] = "";
  const int file = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t n = ::read(file, text, sizeof text);
  ::close(file);
  return n > 36 ? std::string(text, 36) : std::string();
}

std::unexpected<Error> cannot_write(const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return fail(Code::device, "cannot write {}: {}{}", printable(path, 400), std::strerror(errno),
              full ? "; what is there is kept, and the same command goes on once there is room" : "");
}

Status write_all(int file, std::span<const char> bytes, std::uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return cannot_write(path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

std::string read_whole(int file) {
  std::string text;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = ::read(file, buffer, sizeof buffer)) > 0 && text.size() <= kMostJournal) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

std::string count_line(std::uint64_t count) { return fmt::format("{:020}\n", count); }

}  // namespace

PartFile::PartFile(PartFile&& other) noexcept { *this = std::move(other); }

PartFile& PartFile::operator=(PartFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(identity_, other.identity_);
  std::swap(piece_bytes_, other.piece_bytes_);
  std::swap(done_, other.done_);
  std::swap(table_offset_, other.table_offset_);
  std::swap(part_, other.part_);
  std::swap(journal_, other.journal_);
  return *this;
}

PartFile::~PartFile() {
  if (part_ >= 0) ::close(part_);
  if (journal_ >= 0) ::close(journal_);
}

Result<PartFile> PartFile::resume(const std::string& path, const std::string& source) {
  PartFile part;
  part.path_ = path;
  part.journal_ = ::open(journal_path(path).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (part.journal_ < 0) return fail(Code::not_found, "nothing was begun");
  const auto useless = [&](const char* why) { return fail(Code::not_found, "what was begun is of no use: {}", why); };
  const std::string text = read_whole(part.journal_);
  const std::size_t line = text.find('\n');
  if (line == std::string::npos) return useless("its journal is damaged");
  const auto head = nlohmann::json::parse(text.substr(0, line), nullptr, /*allow_exceptions=*/false);
  if (!head.is_object()) return useless("its journal is damaged");
  const auto number = [&](const char* key) {
    const auto found = head.find(key);
    return found != head.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  const auto word = [&](const char* key) {
    const auto found = head.find(key);
    return found != head.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  part.identity_ = {
      .source = word("source"), .size = number("size"), .sha256 = word("sha256"), .validator = word("validator")};
  part.piece_bytes_ = number("piece");
  part.table_offset_ = line + 1;
  if (part.identity_.source != source) return useless("it belongs to another source");
  if (part.identity_.size == 0 || part.piece_bytes_ == 0 ||
      (part.identity_.size - 1) / part.piece_bytes_ >= kMostPieces) {
    return useless("its journal is damaged");
  }
  if (word("boot") != boot_id() && part.identity_.sha256.empty()) {
    return useless("the machine was started anew since, and without a SHA-256 nothing would show what was lost");
  }
  const std::uint64_t pieces = (part.identity_.size - 1) / part.piece_bytes_ + 1;
  if (text.size() != part.table_offset_ + pieces * kCountBytes) return useless("its journal is damaged");
  part.part_ = ::open(part_path(path).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  struct stat status = {};
  if (part.part_ < 0 || ::fstat(part.part_, &status) != 0) return useless("its bytes are gone");
  for (std::size_t i = 0; i < pieces; ++i) {
    const char* digits = text.data() + part.table_offset_ + i * kCountBytes;
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(digits, digits + kCountBytes - 1, count);
    part.done_.push_back(0);
    if (error != std::errc{} || end != digits + kCountBytes - 1 || count > part.length_of(i)) {
      return useless("its journal is damaged");
    }
    if (count > 0 && part.start_of(i) + count > static_cast<std::uint64_t>(status.st_size)) {
      return useless("its bytes are gone");
    }
    part.done_[i] = count;
  }
  return part;
}

Result<PartFile> PartFile::create(const std::string& path, FileIdentity identity) {
  discard(path);
  PartFile part;
  part.path_ = path;
  part.identity_ = std::move(identity);
  part.piece_bytes_ = piece_for(part.identity_.size);
  const std::uint64_t pieces = part.identity_.size == 0 ? 0 : (part.identity_.size - 1) / part.piece_bytes_ + 1;
  if (pieces == 0 || pieces > kMostPieces) {
    return fail(Code::limit, "a file of {} bytes cannot be fetched", part.identity_.size);
  }
  part.done_.assign(static_cast<std::size_t>(pieces), 0);
  constexpr int kNew = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  part.part_ = ::open(part_path(path).c_str(), kNew, 0600);
  if (part.part_ < 0) return cannot_write(part_path(path));
  const nlohmann::ordered_json head = {{"source", part.identity_.source}, {"size", part.identity_.size},
                                       {"sha256", part.identity_.sha256}, {"validator", part.identity_.validator},
                                       {"piece", part.piece_bytes_},      {"boot", boot_id()}};
  std::string text = head.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  part.table_offset_ = text.size();
  for (std::uint64_t i = 0; i < pieces; ++i) text += count_line(0);
  // Whole under another name first, so that no reader sees half a journal.
  const std::string unfinished = journal_path(path) + ".new";
  ::unlink(unfinished.c_str());
  part.journal_ = ::open(unfinished.c_str(), kNew, 0600);
  if (part.journal_ < 0) return cannot_write(unfinished);
  WISP_CHECK(write_all(part.journal_, text, 0, unfinished));
  if (::rename(unfinished.c_str(), journal_path(path).c_str()) != 0) return cannot_write(journal_path(path));
  return part;
}

void PartFile::discard(const std::string& path) {
  // The journal first: bytes without one are never believed.
  ::unlink(journal_path(path).c_str());
  ::unlink((journal_path(path) + ".new").c_str());
  ::unlink(part_path(path).c_str());
}

std::uint64_t PartFile::length_of(std::size_t piece) const {
  return std::min(piece_bytes_, identity_.size - start_of(piece));
}

std::uint64_t PartFile::done_bytes() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : done_) sum += count;
  return sum;
}

std::uint64_t PartFile::prefix() const {
  for (std::size_t i = 0; i < done_.size(); ++i) {
    if (!complete(i)) return start_of(i) + done_[i];
  }
  return identity_.size;
}

Status PartFile::append(std::size_t piece, std::span<const char> bytes) {
  if (bytes.size() > length_of(piece) - done_[piece]) return fail(Code::internal, "more bytes than the piece has");
  WISP_CHECK(write_all(part_, bytes, start_of(piece) + done_[piece], part_path(path_)));
  done_[piece] += bytes.size();
  return write_count(piece);
}

Status PartFile::write_count(std::size_t piece) {
  return write_all(journal_, count_line(done_[piece]), table_offset_ + piece * kCountBytes, journal_path(path_));
}

Status PartFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(part_, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Code::io, "cannot read {}", printable(part_path(path_), 400));
    out = out.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status PartFile::sync() {
  if (::fdatasync(part_) != 0) return cannot_write(part_path(path_));
  return {};
}

Status PartFile::finish() {
  if (::rename(part_path(path_).c_str(), path_.c_str()) != 0) return cannot_write(path_);
  ::unlink(journal_path(path_).c_str());
  return {};
}

}  // namespace wisp::hub
