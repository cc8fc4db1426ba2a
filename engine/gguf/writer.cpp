#include "gguf/writer.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/checked.h"

namespace wisp::gguf {

namespace {

// Collects the header's bytes; it is small.
class HeaderBytes {
 public:
  template <class T>
  void number(T value) {
    const auto raw = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  }
  void text(std::string_view value) {
    number<std::uint64_t>(value.size());
    const auto raw = std::as_bytes(std::span(value));
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// One number of any kind as `type` stores it. `value` was widened from that type, or must fit it.
template <class Wide>
Status put_number(HeaderBytes& out, ValueType type, Wide value) {
  const auto put = [&]<class T>(T) -> Status {
    if constexpr (std::integral<T> && std::integral<Wide>) {
      if (!std::in_range<T>(value)) {
        return fail(Code::invalid_argument, "{} does not fit type {}", value, value_type_name(type));
      }
    } else if constexpr (std::integral<T> || std::integral<Wide>) {
      return fail(Code::invalid_argument, "a number of the wrong kind is given for type {}", value_type_name(type));
    }
    out.number(static_cast<T>(value));
    return {};
  };
  switch (type) {
    case ValueType::u8:
    case ValueType::boolean: return put(std::uint8_t{});
    case ValueType::i8: return put(std::int8_t{});
    case ValueType::u16: return put(std::uint16_t{});
    case ValueType::i16: return put(std::int16_t{});
    case ValueType::u32: return put(std::uint32_t{});
    case ValueType::i32: return put(std::int32_t{});
    case ValueType::u64: return put(std::uint64_t{});
    case ValueType::i64: return put(std::int64_t{});
    case ValueType::f32: return put(float{});
    case ValueType::f64: return put(double{});
    case ValueType::string:
    case ValueType::array: break;
  }
  return fail(Code::invalid_argument, "a number is given for type {}", value_type_name(type));
}

Status put_array(HeaderBytes& out, const Array& array) {
  out.number(static_cast<std::uint32_t>(array.element));
  out.number<std::uint64_t>(array.size());
  for (const std::string& value : array.strings) {
    if (array.element != ValueType::string) return fail(Code::invalid_argument, "strings in an array of numbers");
    out.text(value);
  }
  for (const std::int64_t value : array.integers) WISP_CHECK(put_number(out, array.element, value));
  for (const double value : array.floats) WISP_CHECK(put_number(out, array.element, value));
  return {};
}

Status put_value(HeaderBytes& out, const Value& value) {
  out.number(static_cast<std::uint32_t>(value.type));
  if (const auto* held = std::get_if<std::uint64_t>(&value.data)) return put_number(out, value.type, *held);
  if (const auto* held = std::get_if<std::int64_t>(&value.data)) return put_number(out, value.type, *held);
  if (const auto* held = std::get_if<double>(&value.data)) return put_number(out, value.type, *held);
  if (const auto* held = std::get_if<bool>(&value.data)) return put_number(out, value.type, std::int64_t{*held});
  if (const auto* held = std::get_if<std::string>(&value.data)) {
    if (value.type != ValueType::string) return fail(Code::invalid_argument, "a string is given for another type");
    out.text(*held);
    return {};
  }
  const auto& array = std::get<std::shared_ptr<Array>>(value.data);
  if (value.type != ValueType::array || array == nullptr) return fail(Code::invalid_argument, "an array is missing");
  return put_array(out, *array);
}

Result<std::uint64_t> tensor_bytes(const TensorInfo& tensor) {
  const TensorTypeInfo& type = tensor_type_info(tensor.type);
  std::optional<std::uint64_t> bytes = type.block_bytes;
  if (tensor.n_dims < 1 || tensor.n_dims > 4 || tensor.dims[0] == 0 || tensor.dims[0] % type.block_elements != 0) {
    return fail(Code::invalid_argument, "tensor '{}': rows of {} elements cannot be {}", printable(tensor.name),
                tensor.dims[0], type.name);
  }
  bytes = checked_mul<std::uint64_t>(*bytes, tensor.dims[0] / type.block_elements);
  for (int d = 1; d < tensor.n_dims && bytes; ++d) bytes = checked_mul<std::uint64_t>(*bytes, tensor.dims[d]);
  if (!bytes) return fail(Code::invalid_argument, "tensor '{}' is too large", printable(tensor.name));
  return *bytes;
}

// Zeros up to the next multiple of `alignment`.
Status pad(const ByteSink& sink, std::uint64_t written, std::uint64_t alignment) {
  constexpr std::array<std::byte, 4096> kZeros{};
  std::uint64_t missing = (alignment - written % alignment) % alignment;
  while (missing > 0) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(missing, kZeros.size()));
    WISP_CHECK(sink(std::span(kZeros).first(count)));
    missing -= count;
  }
  return {};
}

}  // namespace

Status Writer::begin(const Metadata& metadata, const std::vector<TensorInfo>& tensors) {
  WISP_TRY(alignment_, metadata.unsigned_integer_or("general.alignment", 32));
  if (!std::has_single_bit(alignment_)) {
    return fail(Code::invalid_argument, "general.alignment is {}; it must be a power of two", alignment_);
  }
  HeaderBytes out;
  out.number<std::uint32_t>(0x46554747);  // "GGUF"
  out.number<std::uint32_t>(3);
  out.number<std::uint64_t>(tensors.size());
  out.number<std::uint64_t>(metadata.entries().size());
  for (const auto& [key, value] : metadata.entries()) {
    out.text(key);
    if (Status status = put_value(out, value); !status) {
      return fail_in(std::move(status).error(), "metadata key '{}'", printable(key));
    }
  }
  std::uint64_t offset = 0;
  sizes_.clear();
  for (const TensorInfo& tensor : tensors) {
    WISP_TRY(const std::uint64_t bytes, tensor_bytes(tensor));
    out.text(tensor.name);
    out.number(static_cast<std::uint32_t>(tensor.n_dims));
    for (int d = 0; d < tensor.n_dims; ++d) out.number<std::uint64_t>(tensor.dims[d]);
    out.number(static_cast<std::uint32_t>(tensor.type));
    out.number<std::uint64_t>(offset);
    const auto end = checked_add(offset, bytes);
    const auto next = end ? checked_align_up(*end, alignment_) : std::nullopt;
    if (!next) return fail(Code::invalid_argument, "the tensors take more than 2^64 bytes");
    offset = *next;
    sizes_.push_back(bytes);
  }
  next_ = 0;
  written_in_tensor_ = 0;
  WISP_CHECK(sink_(out.bytes()));
  return pad(sink_, out.bytes().size(), alignment_);
}

Status Writer::write_tensor_data(std::span<const std::byte> bytes) {
  if (next_ >= sizes_.size()) return fail(Code::invalid_argument, "data for more tensors than the header lists");
  if (bytes.size() > sizes_[next_] - written_in_tensor_) {
    return fail(Code::invalid_argument, "tensor {} takes {} bytes; {} more are given", next_, sizes_[next_],
                bytes.size() - (sizes_[next_] - written_in_tensor_));
  }
  WISP_CHECK(sink_(bytes));
  written_in_tensor_ += bytes.size();
  if (written_in_tensor_ < sizes_[next_]) return {};
  written_in_tensor_ = 0;
  return pad(sink_, sizes_[next_++], alignment_);
}

Status Writer::finish() {
  if (next_ < sizes_.size()) {
    return fail(Code::invalid_argument, "the data of {} tensors is missing or incomplete", sizes_.size() - next_);
  }
  return {};
}

}  // namespace wisp::gguf
