#include "gguf/reader.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/checked.h"
#include "gguf/header_cursor.h"

namespace wisp::gguf {

namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 63;  // of one tensor, exclusive

// The least bytes an entry can take in the file: counts are held against them.
constexpr std::uint64_t kLeastKeyBytes = 8 + 1 + 4 + 1;             // length, one character, type, one byte
constexpr std::uint64_t kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // length, one character, n_dims, dim, type, offset

Status check_count(std::string_view what, std::uint64_t count, std::uint64_t least_bytes, std::uint64_t limit,
                   std::uint64_t remaining) {
  if (count > remaining / least_bytes) {
    return fail(Code::invalid_file,
                "{} is {}, but the {} bytes left in the file hold at most {}; the file is cut short or damaged", what,
                count, remaining, remaining / least_bytes);
  }
  if (count > limit) return fail(Code::limit, "{} is {}; the limit is {}", what, count, limit);
  return {};
}

Result<std::uint32_t> read_version(HeaderCursor& cursor) {
  WISP_TRY(const std::uint32_t magic, cursor.number<std::uint32_t>("the magic number"));
  if (magic != kMagic) {
    const std::string_view bytes(reinterpret_cast<const char*>(&magic), sizeof(magic));
    return fail(Code::invalid_file, "the file starts with '{}', not 'GGUF': this is not a GGUF file", printable(bytes));
  }
  WISP_TRY(const std::uint32_t version, cursor.number<std::uint32_t>("the version"));
  if (version == 2 || version == 3) return version;
  if (version == 1) {
    return fail(Code::unsupported, "GGUF version 1 is no longer read; convert the file to version 3");
  }
  if ((version & 0xFFFF) == 0 && version != 0) {
    return fail(Code::unsupported, "the file is big-endian GGUF (version {:#x}); convert it to little-endian", version);
  }
  return fail(Code::unsupported, "GGUF version {} is not known; versions 2 and 3 are", version);
}

// ---- metadata

template <class Stored, class T>
Result<Value> read_scalar(HeaderCursor& cursor, ValueType type) {
  WISP_TRY(const T value, cursor.number<T>("its value"));
  return Value{type, Stored{value}};
}

Result<bool> read_bool(HeaderCursor& cursor) {
  WISP_TRY(const std::uint8_t value, cursor.number<std::uint8_t>("a bool"));
  if (value > 1) return fail(Code::invalid_file, "a bool is stored as {}; only 0 and 1 are bools", value);
  return value == 1;
}

template <class T>
Status read_integers(HeaderCursor& cursor, std::uint64_t count, std::vector<std::int64_t>& out) {
  for (std::uint64_t i = 0; i < count; ++i) {
    WISP_TRY(const T value, cursor.number<T>("an array"));
    if (!std::in_range<std::int64_t>(value)) {
      return fail(Code::unsupported, "array element {} is {}; the largest supported is 2^63 - 1", i, value);
    }
    out.push_back(static_cast<std::int64_t>(value));
  }
  return {};
}

template <class T>
Status read_floats(HeaderCursor& cursor, std::uint64_t count, std::vector<double>& out) {
  for (std::uint64_t i = 0; i < count; ++i) {
    WISP_TRY(const T value, cursor.number<T>("an array"));
    out.push_back(static_cast<double>(value));
  }
  return {};
}

Status read_elements(HeaderCursor& cursor, std::uint64_t count, Array& array) {
  switch (array.element) {
    case ValueType::u8: return read_integers<std::uint8_t>(cursor, count, array.integers);
    case ValueType::i8: return read_integers<std::int8_t>(cursor, count, array.integers);
    case ValueType::u16: return read_integers<std::uint16_t>(cursor, count, array.integers);
    case ValueType::i16: return read_integers<std::int16_t>(cursor, count, array.integers);
    case ValueType::u32: return read_integers<std::uint32_t>(cursor, count, array.integers);
    case ValueType::i32: return read_integers<std::int32_t>(cursor, count, array.integers);
    case ValueType::u64: return read_integers<std::uint64_t>(cursor, count, array.integers);
    case ValueType::i64: return read_integers<std::int64_t>(cursor, count, array.integers);
    case ValueType::f32: return read_floats<float>(cursor, count, array.floats);
    case ValueType::f64: return read_floats<double>(cursor, count, array.floats);
    case ValueType::boolean:
      for (std::uint64_t i = 0; i < count; ++i) {
        WISP_TRY(const bool value, read_bool(cursor));
        array.integers.push_back(value ? 1 : 0);
      }
      return {};
    case ValueType::string:
      for (std::uint64_t i = 0; i < count; ++i) {
        WISP_TRY(std::string value, cursor.text("a string of the array", kMaxStringBytes));
        array.strings.push_back(std::move(value));
      }
      return {};
    case ValueType::array: break;
  }
  return fail(Code::unsupported, "arrays of arrays are not supported");
}

// `elements_left` is what the whole file may still hold in arrays.
Result<Value> read_array(HeaderCursor& cursor, std::uint64_t& elements_left) {
  WISP_TRY(const std::uint32_t element, cursor.number<std::uint32_t>("the array's element type"));
  if (element > static_cast<std::uint32_t>(ValueType::f64)) {
    return fail(Code::invalid_file, "array element type {} is not known; types 0 to 12 are", element);
  }
  auto array = std::make_shared<Array>();
  array->element = static_cast<ValueType>(element);
  WISP_TRY(const std::uint64_t count, cursor.number<std::uint64_t>("the array's length"));
  const std::size_t fixed = value_type_bytes(array->element);
  const std::uint64_t least = fixed != 0 ? fixed : 8;  // a string or array has a length of 8 bytes at least
  WISP_CHECK(check_count("the array's length", count, least, elements_left, cursor.remaining()));
  elements_left -= count;
  WISP_CHECK(read_elements(cursor, count, *array));
  return Value{ValueType::array, std::move(array)};
}

Result<Value> read_value(HeaderCursor& cursor, std::uint64_t& elements_left) {
  WISP_TRY(const std::uint32_t number, cursor.number<std::uint32_t>("the value type"));
  const ValueType type = static_cast<ValueType>(number);
  switch (type) {
    case ValueType::u8: return read_scalar<std::uint64_t, std::uint8_t>(cursor, type);
    case ValueType::u16: return read_scalar<std::uint64_t, std::uint16_t>(cursor, type);
    case ValueType::u32: return read_scalar<std::uint64_t, std::uint32_t>(cursor, type);
    case ValueType::u64: return read_scalar<std::uint64_t, std::uint64_t>(cursor, type);
    case ValueType::i8: return read_scalar<std::int64_t, std::int8_t>(cursor, type);
    case ValueType::i16: return read_scalar<std::int64_t, std::int16_t>(cursor, type);
    case ValueType::i32: return read_scalar<std::int64_t, std::int32_t>(cursor, type);
    case ValueType::i64: return read_scalar<std::int64_t, std::int64_t>(cursor, type);
    case ValueType::f32: return read_scalar<double, float>(cursor, type);
    case ValueType::f64: return read_scalar<double, double>(cursor, type);
    case ValueType::boolean: {
      WISP_TRY(const bool value, read_bool(cursor));
      return Value{type, value};
    }
    case ValueType::string: {
      WISP_TRY(std::string value, cursor.text("its string", kMaxStringBytes));
      return Value{type, std::move(value)};
    }
    case ValueType::array: return read_array(cursor, elements_left);
  }
  return fail(Code::invalid_file, "value type {} is not known; types 0 to 12 are", number);
}

Result<Metadata> read_metadata(HeaderCursor& cursor, std::uint64_t count) {
  Metadata metadata;
  std::uint64_t elements_left = kMaxArrayElements;
  for (std::uint64_t i = 0; i < count; ++i) {
    Result<std::string> key = cursor.text("the key", kMaxNameBytes);
    if (!key) return fail_in(std::move(key).error(), "metadata entry {}", i);
    if (key->empty()) return fail(Code::invalid_file, "metadata entry {} has an empty key", i);
    Result<Value> value = read_value(cursor, elements_left);
    if (!value) return fail_in(std::move(value).error(), "metadata key '{}'", printable(*key));
    WISP_CHECK(metadata.add(*std::move(key), *std::move(value)));
  }
  return metadata;
}

Result<std::uint64_t> read_alignment(const Metadata& metadata) {
  WISP_TRY(const std::uint64_t alignment, metadata.unsigned_integer_or("general.alignment", kDefaultAlignment));
  if (!std::has_single_bit(alignment)) {
    return fail(Code::invalid_file, "general.alignment is {}; it must be a power of two", alignment);
  }
  return alignment;
}

// ---- tensor table

// Fills in `bytes`; dims must be checked.
Status measure_tensor(TensorInfo& tensor, std::uint32_t type_number) {
  const std::optional<TensorTypeInfo> type = tensor_type_info(type_number);
  if (!type) {
    return fail(Code::unsupported, "its type number {} is not a tensor type that GGUF has today", type_number);
  }
  tensor.type = type->type;
  if (tensor.dims[0] % type->block_elements != 0) {
    return fail(Code::invalid_file, "a row of {} elements is not whole blocks of {}, as {} needs", tensor.dims[0],
                type->block_elements, type->name);
  }
  const auto bytes = checked_mul<std::uint64_t>(tensor.elements() / type->block_elements, type->block_bytes);
  if (!bytes) return fail(Code::invalid_file, "its {} elements take more than 2^64 bytes", tensor.elements());
  tensor.bytes = *bytes;
  return {};
}

Status read_dims(HeaderCursor& cursor, TensorInfo& tensor) {
  WISP_TRY(const std::uint32_t n_dims, cursor.number<std::uint32_t>("the number of dimensions"));
  if (n_dims < 1 || n_dims > tensor.dims.size()) {
    return fail(Code::invalid_file, "it has {} dimensions; 1 to {} are possible", n_dims, tensor.dims.size());
  }
  tensor.n_dims = static_cast<int>(n_dims);
  std::uint64_t elements = 1;
  for (std::uint32_t d = 0; d < n_dims; ++d) {
    WISP_TRY(tensor.dims[d], cursor.number<std::uint64_t>("the dimensions"));
    if (tensor.dims[d] == 0) return fail(Code::invalid_file, "dimension {} is 0", d);
    const auto product = checked_mul<std::uint64_t>(elements, tensor.dims[d]);
    if (!product || *product >= kMaxElements) {
      return fail(Code::invalid_file, "its dimensions multiply to 2^63 elements or more");
    }
    elements = *product;
  }
  return {};
}

// Everything after the name. The offset is still relative to the data section.
Status read_tensor(HeaderCursor& cursor, std::uint64_t alignment, TensorInfo& tensor) {
  WISP_CHECK(read_dims(cursor, tensor));
  WISP_TRY(const std::uint32_t type_number, cursor.number<std::uint32_t>("the tensor type"));
  WISP_CHECK(measure_tensor(tensor, type_number));
  WISP_TRY(tensor.offset, cursor.number<std::uint64_t>("the data offset"));
  if (tensor.offset % alignment != 0) {
    return fail(Code::invalid_file, "its data offset {} is not a multiple of the alignment, {}", tensor.offset,
                alignment);
  }
  return {};
}

Status read_tensor_table(HeaderCursor& cursor, std::uint64_t count, File& file) {
  for (std::uint64_t i = 0; i < count; ++i) {
    Result<std::string> name = cursor.text("the name", kMaxNameBytes);
    if (!name) return fail_in(std::move(name).error(), "tensor {}", i);
    if (name->empty()) return fail(Code::invalid_file, "tensor {} has an empty name", i);
    TensorInfo tensor;
    tensor.name = *std::move(name);
    if (Status status = read_tensor(cursor, file.alignment, tensor); !status) {
      return fail_in(std::move(status).error(), "tensor '{}'", printable(tensor.name));
    }
    WISP_CHECK(file.add_tensor(std::move(tensor)));
  }
  return {};
}

// Where the data section starts when the header ends at `header_end`. A file without tensors may end before it.
Result<std::uint64_t> data_start(std::uint64_t header_end, std::uint64_t alignment, std::uint64_t file_size,
                                 bool has_tensors) {
  const std::optional<std::uint64_t> start = checked_align_up(header_end, alignment);
  if (!start || (has_tensors && *start > file_size)) {
    return fail(Code::invalid_file,
                "general.alignment is {}, so tensor data would start past the end of the file ({} bytes)", alignment,
                file_size);
  }
  return *start;
}

// Makes offsets absolute, and holds every tensor against the end of the file and its neighbours. Gaps are legal.
Status place_tensors(std::uint64_t file_size, File& file) {
  if (file.tensors.empty()) return {};
  const std::uint64_t data_bytes = file_size - file.header_bytes;
  for (TensorInfo& tensor : file.tensors) {
    if (!range_fits(tensor.offset, tensor.bytes, data_bytes)) {
      return fail(
          Code::invalid_file,
          "tensor '{}': its {} bytes at offset {} reach past the end of the file, which holds {} bytes of tensor "
          "data; the file is cut short or damaged",
          printable(tensor.name), tensor.bytes, tensor.offset, data_bytes);
    }
    tensor.offset += file.header_bytes;
  }

  std::vector<std::size_t> by_offset(file.tensors.size());
  std::iota(by_offset.begin(), by_offset.end(), std::size_t{0});
  std::ranges::sort(by_offset, {}, [&](std::size_t i) { return file.tensors[i].offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const TensorInfo& before = file.tensors[by_offset[i - 1]];
    const TensorInfo& after = file.tensors[by_offset[i]];
    if (before.offset + before.bytes > after.offset) {
      return fail(Code::invalid_file,
                  "tensors '{}' and '{}' overlap: the first ends at byte {}, the second starts at {}",
                  printable(before.name), printable(after.name), before.offset + before.bytes, after.offset);
    }
  }
  return {};
}

Result<File> read_header(ByteSource& source) {
  HeaderCursor cursor(source);
  File file;
  WISP_TRY(file.version, read_version(cursor));
  WISP_TRY(const std::uint64_t n_tensors, cursor.number<std::uint64_t>("the tensor count"));
  WISP_TRY(const std::uint64_t n_keys, cursor.number<std::uint64_t>("the metadata count"));
  WISP_CHECK(check_count("the tensor count", n_tensors, kLeastTensorBytes, kMaxTensors, cursor.remaining()));
  WISP_CHECK(check_count("the metadata count", n_keys, kLeastKeyBytes, kMaxKeys, cursor.remaining()));
  WISP_TRY(file.metadata, read_metadata(cursor, n_keys));
  WISP_TRY(file.alignment, read_alignment(file.metadata));
  // An absurd alignment is named as such here, before offsets are held against it.
  WISP_CHECK(data_start(cursor.position(), file.alignment, source.size(), n_tensors > 0));
  WISP_CHECK(read_tensor_table(cursor, n_tensors, file));
  WISP_TRY(file.header_bytes, data_start(cursor.position(), file.alignment, source.size(), n_tensors > 0));
  WISP_CHECK(place_tensors(source.size(), file));
  return file;
}

}  // namespace

Status File::add_tensor(TensorInfo tensor) {
  if (!by_name.emplace(tensor.name, tensors.size()).second) {
    return fail(Code::invalid_file, "tensor '{}' is there twice", printable(tensor.name));
  }
  tensors.push_back(std::move(tensor));
  return {};
}

const TensorInfo* File::find(std::string_view name) const {
  const auto found = by_name.find(std::string(name));
  return found == by_name.end() ? nullptr : &tensors[found->second];
}

std::uint64_t File::total_tensor_bytes() const {
  std::uint64_t total = 0;  // cannot overflow: tensors do not overlap, and lie inside their files
  for (const TensorInfo& tensor : tensors) total += tensor.bytes;
  return total;
}

Result<File> read_file(std::unique_ptr<ByteSource>& source) {
  Result<File> file = read_header(*source);
  if (!file) return fail_in(std::move(file).error(), "{}", printable(source->name(), 400));
  file->sources.push_back(std::move(source));
  return file;
}

}  // namespace wisp::gguf
