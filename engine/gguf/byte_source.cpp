#include "gguf/byte_source.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/checked.h"

namespace wisp::gguf {

namespace {

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] const std::string& name() const override { return name_; }

  Status read(std::uint64_t offset, std::span<std::byte> out) override {
    if (!range_fits(offset, out.size(), bytes_.size())) {
      return fail(Code::invalid_file, "bytes [{}, +{}) lie past the end ({} bytes)", offset, out.size(), bytes_.size());
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    count_read(out.size());
    return {};
  }

  [[nodiscard]] std::span<const std::byte> view(std::uint64_t offset, std::uint64_t length) override {
    if (!range_fits(offset, length, bytes_.size())) return {};
    count_read(length);
    return bytes_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
  }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
};

// Neighbouring pieces are joined up to this size, so that feeding byte by byte stays cheap, and larger ones are cut to
// it, so that neither joining nor forgetting a part of one copies much.
constexpr std::size_t kMaxPiece = std::size_t{1} << 20;

}  // namespace

std::unique_ptr<ByteSource> from_memory(std::span<const std::byte> bytes, std::string name) {
  return std::make_unique<MemorySource>(bytes, std::move(name));
}

std::size_t StreamSource::first_ending_after(std::uint64_t offset) const {
  const auto found = std::ranges::partition_point(pieces_, [&](const Piece& piece) { return piece.end() <= offset; });
  return static_cast<std::size_t>(found - pieces_.begin());
}

// Puts bytes that no piece holds yet in front of piece `before`, or joins them to its predecessor. Returns the index of
// the piece that follows them.
std::size_t StreamSource::store(std::size_t before, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (before > 0) {
    Piece& previous = pieces_[before - 1];
    if (previous.end() == offset && previous.bytes.size() + bytes.size() <= kMaxPiece) {
      previous.bytes.insert(previous.bytes.end(), bytes.begin(), bytes.end());
      return before;
    }
  }
  const std::size_t count = div_up(bytes.size(), kMaxPiece);
  pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(before), count, Piece{});
  for (std::size_t i = 0; i < count; ++i) {
    const auto part = bytes.subspan(i * kMaxPiece, std::min(kMaxPiece, bytes.size() - i * kMaxPiece));
    pieces_[before + i] = {offset + i * kMaxPiece, std::vector<std::byte>(part.begin(), part.end())};
  }
  return before + count;
}

Status StreamSource::feed(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!range_fits(offset, bytes.size(), size_)) {
    return fail(Code::invalid_argument, "fed bytes [{}, +{}) lie past the end of {} ({} bytes)", offset, bytes.size(),
                printable(name_), size_);
  }
  std::size_t next = first_ending_after(offset);
  while (!bytes.empty()) {
    const bool covered = next < pieces_.size() && pieces_[next].offset <= offset;
    const std::uint64_t stop = covered ? pieces_[next].end() : next < pieces_.size() ? pieces_[next].offset : size_;
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(stop - offset, bytes.size()));
    next = covered ? next + 1 : store(next, offset, bytes.first(count));
    offset += count;
    bytes = bytes.subspan(count);
  }
  return {};
}

void StreamSource::discard_before(std::uint64_t offset) {
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_ending_after(offset)));
  if (pieces_.empty() || pieces_[0].offset >= offset) return;
  Piece& cut = pieces_[0];
  // A fresh vector, not erase(): the memory is what this call is for.
  cut.bytes =
      std::vector<std::byte>(cut.bytes.begin() + static_cast<std::ptrdiff_t>(offset - cut.offset), cut.bytes.end());
  cut.offset = offset;
}

void StreamSource::taken_before(std::uint64_t offset) {
  if (read_once_) discard_before(offset);
}

bool StreamSource::append(std::uint64_t bytes) {
  const auto size = checked_add(size_, bytes);
  if (!size || *size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
  size_ = *size;
  return true;
}

std::uint64_t StreamSource::buffered_bytes() const {
  std::uint64_t total = 0;
  for (const Piece& piece : pieces_) total += piece.bytes.size();
  return total;
}

Status StreamSource::read(std::uint64_t offset, std::span<std::byte> out) {
  if (!range_fits(offset, out.size(), size_)) {
    return fail(Code::invalid_file, "bytes [{}, +{}) lie past the end ({} bytes)", offset, out.size(), size_);
  }
  const std::size_t total = out.size();
  for (std::size_t next = first_ending_after(offset); !out.empty(); ++next) {
    if (next == pieces_.size() || pieces_[next].offset > offset) {
      wanted_ = {offset, out.size()};
      return fail(Code::need_more_data, "bytes [{}, +{}) have not arrived yet", offset, out.size());
    }
    const Piece& piece = pieces_[next];
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.end() - offset, out.size()));
    std::memcpy(out.data(), piece.bytes.data() + (offset - piece.offset), count);
    offset += count;
    out = out.subspan(count);
  }
  count_read(total);
  return {};
}

}  // namespace wisp::gguf
