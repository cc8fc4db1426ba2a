// Writes GGUF version 3. Streams: the header is laid out from metadata and tensor table first, tensor data follows in
// order, so a file of any size is written in constant memory.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/reader.h"

namespace wisp::gguf {

// Receives the bytes in order.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

class Writer {
 public:
  explicit Writer(ByteSink sink) : sink_(std::move(sink)) {}
  // Lays out and writes the header. Reads name, type, n_dims and dims of `tensors`; offsets are computed here.
  // `general.alignment` in the metadata is honoured.
  Status begin(const Metadata& metadata, const std::vector<TensorInfo>& tensors);
  // The data of the next tensor, in table order; may come in several pieces. Padding is added between tensors.
  Status write_tensor_data(std::span<const std::byte> bytes);
  // Fails when data is missing.
  Status finish();

 private:
  ByteSink sink_;
  std::vector<std::uint64_t> sizes_;
  std::size_t next_ = 0;
  std::uint64_t written_in_tensor_ = 0;
  std::uint64_t alignment_ = 32;
};

}  // namespace wisp::gguf
