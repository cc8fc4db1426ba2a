#include "dump_tensor.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "interrupt.h"
#include "output_file.h"
#include "progress.h"
#include "quant/block_format.h"

namespace wisp::cli {

namespace {

static_assert(std::endian::native == std::endian::little, "floats are written as they lie in memory");

constexpr std::size_t kChunkElements = std::size_t{1} << 16;  // a multiple of every block size

Status write_values(const gguf::File& file, const gguf::TensorInfo& tensor, OutputFile& to) {
  const gguf::TensorTypeInfo& type = gguf::tensor_type_info(tensor.type);
  std::vector<std::byte> blocks(kChunkElements / type.block_elements * type.block_bytes);
  std::vector<float> values(kChunkElements);
  std::uint64_t offset = tensor.offset;
  const Interrupts interrupts;
  Progress progress("decoding", true);
  for (std::uint64_t left = tensor.elements(); left > 0;) {
    if (Interrupts::pending()) return Interrupts::stopped();
    progress.show(tensor.elements() - left, tensor.elements(), "");
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunkElements));
    const auto chunk = std::span(blocks).first(count / type.block_elements * type.block_bytes);
    WISP_CHECK(file.sources[static_cast<std::size_t>(tensor.split)]->read(offset, chunk));
    WISP_CHECK(quant::decode(tensor.type, chunk, std::span(values).first(count)));
    WISP_CHECK(to.write({reinterpret_cast<const char*>(values.data()), count * sizeof(float)}));
    offset += chunk.size();
    left -= count;
  }
  return to.close();
}

}  // namespace

Result<std::uint64_t> dump_tensor(const gguf::File& file, const std::string& name, const std::string& out) {
  const gguf::TensorInfo* tensor = file.find(name);
  if (tensor == nullptr) {
    return fail(Code::not_found, "there is no tensor '{}' among the {}; --tensors lists them", printable(name),
                file.tensors.size());
  }
  if (const auto format = quant::block_format(tensor->type); !format) return std::unexpected(format.error());
  WISP_CHECK(refuse_model_as_output(file, "--out", out));
  WISP_TRY(OutputFile to, OutputFile::create(out));
  WISP_CHECK(write_values(file, *tensor, to));
  return tensor->elements();
}

}  // namespace wisp::cli
