#include "runtime/model_fingerprint.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/hash64.h"

namespace wisp::runtime {
namespace {

constexpr std::uint64_t kPieces = 16;
constexpr std::uint64_t kPiece = kFingerprintBytes / kPieces;
// Of the header at once, however long it is.
constexpr std::uint64_t kChunk = 64 * 1024;

class Hasher {
 public:
  Hasher() : chunk_(kChunk) {}

  template <class T>
  void add(std::span<const T> values) {
    hash_ = hash64(std::as_bytes(values), hash_);
  }
  Status add_range(gguf::ByteSource& source, std::uint64_t offset, std::uint64_t bytes) {
    for (std::uint64_t done = 0; done < bytes;) {
      const std::span<std::byte> chunk =
          std::span(chunk_).first(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, bytes - done)));
      WISP_CHECK(source.read(offset + done, chunk));
      add<std::byte>(chunk);
      done += chunk.size();
    }
    return {};
  }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  std::vector<std::byte> chunk_;
  std::uint64_t hash_ = 0;
};

// The first and the last bytes, and between them a piece at a place of its own in each sixteenth: training that left
// the start or any other part as it was is seen in the rest.
std::array<std::uint64_t, kPieces> places_in(const gguf::TensorInfo& tensor) {
  const std::uint64_t stretch = tensor.bytes / kPieces;  // at least kPiece
  const std::uint64_t seed = hash64(std::as_bytes(std::span(tensor.name)));
  std::array<std::uint64_t, kPieces> places = {tensor.offset};
  for (std::uint64_t i = 1; i + 1 < kPieces; ++i) {
    const std::uint64_t within = hash64(std::as_bytes(std::span(&i, 1)), seed) % (stretch - kPiece + 1);
    places[static_cast<std::size_t>(i)] = tensor.offset + i * stretch + within;
  }
  places.back() = tensor.offset + tensor.bytes - kPiece;
  return places;
}

Status add_samples(Hasher& hasher, gguf::ByteSource& source, const gguf::TensorInfo& tensor) {
  if (tensor.bytes <= kFingerprintBytes) return hasher.add_range(source, tensor.offset, tensor.bytes);
  const std::array<std::uint64_t, kPieces> places = places_in(tensor);
  // All at once: a disk is slow to answer, and a mapping would fetch much more around each.
  for (const std::uint64_t place : places) source.will_need(place, kPiece);
  for (const std::uint64_t place : places) WISP_CHECK(hasher.add_range(source, place, kPiece));
  return {};
}

}  // namespace

Result<std::uint64_t> model_fingerprint(const gguf::File& file) {
  Hasher hasher;
  if (!file.sources.empty()) WISP_CHECK(hasher.add_range(*file.sources[0], 0, file.header_bytes));
  for (const gguf::TensorInfo& tensor : file.tensors) {
    // Those of later parts are not in the first one's header.
    hasher.add(std::span<const char>(tensor.name));
    const std::array<std::uint64_t, 5> shape = {static_cast<std::uint64_t>(tensor.type), tensor.dims[0], tensor.dims[1],
                                                tensor.dims[2], tensor.dims[3]};
    hasher.add(std::span<const std::uint64_t>(shape));
    WISP_CHECK(add_samples(hasher, *file.sources[static_cast<std::size_t>(tensor.split)], tensor));
  }
  return hasher.value();
}

}  // namespace wisp::runtime
