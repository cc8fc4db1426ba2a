// Where the bytes of a model come from. Everything above reads through this, and every source counts what was read, so
// that "what the graph does not use is never read" can be shown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace wisp::gguf {

// Files and memory may be read from several threads at once; a StreamSource belongs to one thread.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fills `out` from `offset` on. Past the end: Code::invalid_file. Not there yet (StreamSource): Code::need_more_data.
  virtual Status read(std::uint64_t offset, std::span<std::byte> out) = 0;
  // The bytes in place, where the source has them in memory or mapped; empty otherwise (then read() them). Valid as
  // long as the source lives. The whole range counts as read.
  [[nodiscard]] virtual std::span<const std::byte> view(std::uint64_t /*offset*/, std::uint64_t /*length*/) {
    return {};
  }
  // Advice that the range will be needed soon. May do nothing.
  virtual void will_need(std::uint64_t /*offset*/, std::uint64_t /*length*/) {}
  // What lies in front of `offset` has been taken in by somebody who reads in ascending order. May do nothing.
  virtual void taken_before(std::uint64_t /*offset*/) {}
  // What the source is called in messages: a path, a URL.
  [[nodiscard]] virtual const std::string& name() const = 0;
  // Bytes handed out by read() and view() so far.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_.load(std::memory_order_relaxed); }

 protected:
  void count_read(std::uint64_t bytes) { bytes_read_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> bytes_read_ = 0;
};

// A regular file, memory-mapped read-only. It must not shrink while it is open: reading a vanished page is a signal
// that no program can answer; open_pread() has no such weakness.
Result<std::unique_ptr<ByteSource>> open_mapped(const std::string& path);
// A file read by pread: for media where mapping is slow or absent, and to bound resident memory.
Result<std::unique_ptr<ByteSource>> open_pread(const std::string& path);
// Bytes that the caller keeps alive.
std::unique_ptr<ByteSource> from_memory(std::span<const std::byte> bytes, std::string name);

// A source that is fed in pieces, in any order, as a browser does: read() answers need_more_data until the range has
// been fed. `wanted()` tells the feeder what to fetch: the last refused read from its first missing byte on.
class StreamSource final : public ByteSource {
 public:
  StreamSource(std::uint64_t size, std::string name) : size_(size), name_(std::move(name)) {}
  // Copies the piece. Pieces may overlap (what is there stays); bytes past size() are Code::invalid_argument.
  Status feed(std::uint64_t offset, std::span<const std::byte> bytes);
  // Forgets everything below `offset`, to bound memory once it has been consumed. It can be fed again.
  void discard_before(std::uint64_t offset);
  // What a reader has taken in is discarded by itself.
  void set_read_once(bool on) { read_once_ = on; }
  // `bytes` more at the end: another file behind this one. False where the size would pass 63 bits.
  bool append(std::uint64_t bytes);
  struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  [[nodiscard]] Range wanted() const { return wanted_; }
  [[nodiscard]] std::uint64_t buffered_bytes() const;

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  Status read(std::uint64_t offset, std::span<std::byte> out) override;
  void taken_before(std::uint64_t offset) override;
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  struct Piece {
    std::uint64_t offset;
    std::vector<std::byte> bytes;
    [[nodiscard]] std::uint64_t end() const { return offset + bytes.size(); }
  };
  [[nodiscard]] std::size_t first_ending_after(std::uint64_t offset) const;  // index into pieces_
  std::size_t store(std::size_t before, std::uint64_t offset, std::span<const std::byte> bytes);
  std::vector<Piece> pieces_;  // sorted by offset, disjoint
  bool read_once_ = false;
  std::uint64_t size_;
  std::string name_;
  Range wanted_;
};

}  // namespace wisp::gguf
