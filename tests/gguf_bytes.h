// Writes GGUF files by hand, right or wrong, into memory: for tests of what reads them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/reader.h"
#include "gguf/writer.h"

namespace wisp::test {

// Appends the fields of a GGUF header in whatever order and with whatever values the test wants.
class GgufBytes {
 public:
  template <class T>
  GgufBytes& number(T value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof(T));
    return *this;
  }
  GgufBytes& text(std::string_view value) {
    number<std::uint64_t>(value.size());
    return raw(value);
  }
  GgufBytes& raw(std::string_view value) {
    for (const char c : value) bytes_.push_back(static_cast<std::byte>(c));
    return *this;
  }
  GgufBytes& header(std::uint64_t n_tensors, std::uint64_t n_keys, std::uint32_t version = 3) {
    return raw("GGUF").number(version).number(n_tensors).number(n_keys);
  }
  // Key and value type; the value follows.
  GgufBytes& key(std::string_view name, gguf::ValueType type) {
    return text(name).number(static_cast<std::uint32_t>(type));
  }
  GgufBytes& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                    std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) number(dim);
    return number(type).number(offset);
  }
  // The padding in front of tensor data, and `bytes` of it.
  GgufBytes& data(std::size_t bytes, std::size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment + bytes);
    return *this;
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

  [[nodiscard]] Result<gguf::File> read() const {
    std::unique_ptr<gguf::ByteSource> source = gguf::from_memory(bytes_, "test");
    return gguf::read_file(source);
  }

 private:
  std::vector<std::byte> bytes_;
};

// A whole file from our own writer. `fill` gives tensor i's bytes their values.
inline std::vector<std::byte> write_gguf(
    const gguf::Metadata& metadata, const std::vector<gguf::TensorInfo>& tensors,
    const std::function<void(std::size_t, std::span<std::byte>)>& fill = [](std::size_t, std::span<std::byte>) {}) {
  std::vector<std::byte> bytes;
  gguf::Writer writer([&](std::span<const std::byte> piece) -> Status {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  });
  const Status begun = writer.begin(metadata, tensors);
  EXPECT_TRUE(begun) << begun.error().message;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const gguf::TensorTypeInfo& type = gguf::tensor_type_info(tensors[i].type);
    std::vector<std::byte> data(tensors[i].elements() / type.block_elements * type.block_bytes);
    fill(i, data);
    const Status written = writer.write_tensor_data(data);
    EXPECT_TRUE(written) << written.error().message;
  }
  const Status finished = writer.finish();
  EXPECT_TRUE(finished) << finished.error().message;
  return bytes;
}

}  // namespace wisp::test
