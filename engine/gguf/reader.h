// Reads the header of a GGUF file (versions 2 and 3): metadata and the tensor table. Nothing in the file is believed:
// every count, length, dimension, offset and type is checked against the file's size before anything is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "gguf/byte_source.h"
#include "gguf/metadata.h"
#include "gguf/tensor_type.h"

namespace wisp::gguf {

struct TensorInfo {
  std::string name;
  TensorType type = TensorType::f32;
  int n_dims = 1;
  // As in the file, innermost first: dims[0] is the length of a row. Unused ones are 1. All at least 1, and their
  // product fits 63 bits.
  std::array<std::uint64_t, 4> dims = {1, 1, 1, 1};
  std::uint64_t offset = 0;  // in bytes from the start of its file (`split`)
  std::uint64_t bytes = 0;
  int split = 0;  // index into File::sources

  [[nodiscard]] std::uint64_t elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
  [[nodiscard]] std::uint64_t rows() const { return dims[1] * dims[2] * dims[3]; }
  [[nodiscard]] std::uint64_t row_bytes() const { return bytes / rows(); }
};

// One GGUF model: a file, or the parts of a split one.
struct File {
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // in file order, names unique over all parts
  std::unordered_map<std::string, std::size_t> by_name;
  std::vector<std::unique_ptr<ByteSource>> sources;  // one per part
  std::uint64_t header_bytes = 0;                    // of the first part: where its tensor data starts

  // Adds to `tensors` and `by_name`; Code::invalid_file when the name is taken.
  Status add_tensor(TensorInfo tensor);
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;
  [[nodiscard]] std::uint64_t total_tensor_bytes() const;
};

// Bounds on a header, far above any real model (the largest vocabularies have about 10^6 tokens and merges), so that
// memory stays small whatever a file of many gigabytes claims.
inline constexpr std::uint64_t kMaxKeys = 1u << 16;
inline constexpr std::uint64_t kMaxTensors = 1u << 20;
inline constexpr std::uint64_t kMaxArrayElements = 1u << 24;  // of all arrays together
inline constexpr std::uint64_t kMaxStringBytes = 1u << 26;
inline constexpr std::uint64_t kMaxNameBytes = 65535;  // of a key or a tensor name; the format's own limit for keys

// Reads one source's header and no more of the file than about as much again. From a StreamSource that lacks bytes:
// Code::need_more_data; feed what it wants and call again (each call wants about twice as much as the one before).
// On success takes the source; on failure leaves it with the caller.
Result<File> read_file(std::unique_ptr<ByteSource>& source);

// One model of the parts of a split one, in their order, each read by read_file(): checks that they belong together,
// that none is missing, and joins their tensor tables. A file that is not split is one part.
Result<File> join_parts(std::vector<File> parts);

// How open_model reads bytes.
enum class Access { mapped, pread };
// Opens a path; when it is one part of a split model (split.count > 1; name-00001-of-00003.gguf), opens all parts,
// checks that they belong together, and joins their tensor tables.
Result<File> open_model(const std::string& path, Access access = Access::mapped);

}  // namespace wisp::gguf
