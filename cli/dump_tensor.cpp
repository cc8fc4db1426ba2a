#include "dump_tensor.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "quant/block_format.h"

namespace wisp::cli {

namespace {

static_assert(std::endian::native == std::endian::little, "floats are written as they lie in memory");

constexpr std::size_t kChunkElements = std::size_t{1} << 16;  // a multiple of every block size

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::unexpected<Error> cannot_write(const std::string& out) {
  return fail(Code::device, "cannot write {}: {}", printable(out, 400), std::strerror(errno));
}

Status write_values(const gguf::File& file, const gguf::TensorInfo& tensor, const std::string& out) {
  const gguf::TensorTypeInfo& type = gguf::tensor_type_info(tensor.type);
  const std::unique_ptr<std::FILE, CloseFile> to(std::fopen(out.c_str(), "wb"));
  if (to == nullptr) return fail(Code::io, "cannot create {}: {}", printable(out, 400), std::strerror(errno));
  std::vector<std::byte> blocks(kChunkElements / type.block_elements * type.block_bytes);
  std::vector<float> values(kChunkElements);
  std::uint64_t offset = tensor.offset;
  for (std::uint64_t left = tensor.elements(); left > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunkElements));
    const auto chunk = std::span(blocks).first(count / type.block_elements * type.block_bytes);
    WISP_CHECK(file.sources[static_cast<std::size_t>(tensor.split)]->read(offset, chunk));
    WISP_CHECK(quant::decode(tensor.type, chunk, std::span(values).first(count)));
    if (std::fwrite(values.data(), sizeof(float), count, to.get()) != count) return cannot_write(out);
    offset += chunk.size();
    left -= count;
  }
  if (std::fflush(to.get()) != 0) return cannot_write(out);
  return {};
}

}  // namespace

Result<std::uint64_t> dump_tensor(const gguf::File& file, const std::string& name, const std::string& out) {
  const gguf::TensorInfo* tensor = file.find(name);
  if (tensor == nullptr) {
    return fail(Code::not_found, "there is no tensor '{}' among the {}; --tensors lists them", printable(name),
                file.tensors.size());
  }
  if (const auto format = quant::block_format(tensor->type); !format) return std::unexpected(format.error());
  std::error_code ignored;
  for (const auto& source : file.sources) {
    if (std::filesystem::equivalent(source->name(), out, ignored)) {
      return fail(Code::invalid_argument, "--out {} is the model itself", printable(out, 400));
    }
  }
  if (Status status = write_values(file, *tensor, out); !status) {
    if (std::filesystem::is_regular_file(out, ignored)) std::filesystem::remove(out, ignored);
    return std::unexpected(std::move(status).error());
  }
  return tensor->elements();
}

}  // namespace wisp::cli
