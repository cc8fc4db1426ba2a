#include "inspect_report.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <vector>

#include "base/format.h"

namespace wisp::cli {

namespace {

using gguf::Array, gguf::TensorInfo, gguf::TensorType, gguf::Value, gguf::ValueType;

constexpr std::size_t kShownElements = 8;
constexpr std::size_t kShownBytes = 80;
constexpr std::size_t kNoLimit = ~std::size_t{0};

// ---- what is counted

struct TypeUse {
  TensorType type;
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

double bits_per_weight(std::uint64_t bytes, std::uint64_t elements) {
  return elements == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

// The types in use, the one with the most bytes first.
std::vector<TypeUse> count_types(const gguf::File& file) {
  std::vector<TypeUse> uses;
  for (const TensorInfo& tensor : file.tensors) {
    auto use = std::ranges::find(uses, tensor.type, &TypeUse::type);
    if (use == uses.end()) use = uses.insert(uses.end(), TypeUse{.type = tensor.type});
    ++use->tensors;
    use->elements += tensor.elements();
    use->bytes += tensor.bytes;
  }
  std::ranges::sort(uses, std::ranges::greater{}, &TypeUse::bytes);
  return uses;
}

std::uint64_t count_parameters(const gguf::File& file) {
  std::uint64_t elements = 0;
  for (const TensorInfo& tensor : file.tensors) elements += tensor.elements();
  return elements;
}

std::uint64_t total_bytes(const gguf::File& file) {
  std::uint64_t bytes = 0;
  for (const auto& source : file.sources) bytes += source->size();
  return bytes;
}

// Look-ups for a report: what is missing or of another type is left out, not an error.
std::optional<std::string> text_of(const gguf::File& file, std::string_view key) {
  const auto value = file.metadata.text(key);
  if (!value) return std::nullopt;
  return std::string(*value);
}

std::optional<std::uint64_t> count_of(const gguf::File& file, const std::string& key) {
  const auto value = file.metadata.unsigned_integer(key);
  if (!value) return std::nullopt;
  return *value;
}

// "ARCHITECTURE.key"
std::optional<std::uint64_t> hyperparameter(const gguf::File& file, std::string_view key) {
  const auto architecture = text_of(file, "general.architecture");
  if (!architecture) return std::nullopt;
  return count_of(file, fmt::format("{}.{}", *architecture, key));
}

std::optional<std::uint64_t> vocabulary_size(const gguf::File& file) {
  const auto tokens = file.metadata.array("tokenizer.ggml.tokens");
  if (!tokens) return std::nullopt;
  return (*tokens)->size();
}

// ---- text

// 1234567 is "1,234,567".
std::string grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string shape_text(const TensorInfo& tensor) {
  std::string text;
  for (int d = 0; d < tensor.n_dims; ++d)
    fmt::format_to(std::back_inserter(text), "{}{}", d == 0 ? "" : " x ", tensor.dims[d]);
  return text;
}

std::string array_text(const Array& array, bool full) {
  std::string text = fmt::format("{} x {}", grouped(array.size()), gguf::value_type_name(array.element));
  const std::size_t shown = full ? array.size() : std::min(array.size(), kShownElements);
  for (std::size_t i = 0; i < shown; ++i) {
    text += i == 0 ? ": " : ", ";
    if (array.element == ValueType::string) {
      text += fmt::format("\"{}\"", printable(array.strings[i], full ? kNoLimit : kShownBytes / 4));
    } else if (array.element == ValueType::f32 || array.element == ValueType::f64) {
      text += fmt::format("{:.6g}", array.floats[i]);
    } else if (array.element == ValueType::boolean) {
      text += array.integers[i] != 0 ? "true" : "false";
    } else {
      text += fmt::format("{}", array.integers[i]);
    }
  }
  if (shown < array.size()) text += ", ...";
  return text;
}

std::string value_text(const Value& value, bool full) {
  if (const auto* held = std::get_if<std::uint64_t>(&value.data)) return fmt::format("{}", *held);
  if (const auto* held = std::get_if<std::int64_t>(&value.data)) return fmt::format("{}", *held);
  if (const auto* held = std::get_if<double>(&value.data)) return fmt::format("{:.6g}", *held);
  if (const auto* held = std::get_if<bool>(&value.data)) return *held ? "true" : "false";
  if (const auto* held = std::get_if<std::string>(&value.data)) {
    return printable(*held, full ? kNoLimit : kShownBytes);
  }
  return array_text(*std::get<std::shared_ptr<Array>>(value.data), full);
}

// One line of the summary.
template <class... Args>
void line(std::string& out, std::string_view label, fmt::format_string<Args...> text, Args&&... args) {
  fmt::format_to(std::back_inserter(out), "  {:<15} {}\n", label, fmt::format(text, std::forward<Args>(args)...));
}

void add_types(std::string& out, const gguf::File& file) {
  std::string_view label = "types";
  for (const TypeUse& use : count_types(file)) {
    line(out, label, "{:<8} {:>5} tensors {:>18} weights {:>11} {:>7.3f} bits", gguf::tensor_type_info(use.type).name,
         grouped(use.tensors), grouped(use.elements), format_bytes(use.bytes),
         bits_per_weight(use.bytes, use.elements));
    label = "";
  }
}

void add_shape(std::string& out, const gguf::File& file) {
  struct Fact {
    std::string_view label, key;
  };
  for (const auto& [label, key] :
       {Fact{"context", "context_length"}, Fact{"layers", "block_count"}, Fact{"width", "embedding_length"},
        Fact{"feed-forward", "feed_forward_length"}, Fact{"heads", "attention.head_count"},
        Fact{"KV heads", "attention.head_count_kv"}, Fact{"experts", "expert_count"}}) {
    if (const auto number = hyperparameter(file, key)) line(out, label, "{}", grouped(*number));
  }
}

void add_tokenizer(std::string& out, const gguf::File& file) {
  const auto model = text_of(file, "tokenizer.ggml.model");
  if (!model) return;
  const auto pre = text_of(file, "tokenizer.ggml.pre");
  line(out, "tokenizer", "{}{}{}, {} tokens", printable(*model), pre ? ", " : "", pre ? printable(*pre) : "",
       grouped(vocabulary_size(file).value_or(0)));
  if (const auto chat = text_of(file, "tokenizer.chat_template")) {
    line(out, "chat template", "{}", format_bytes(chat->size()));
  }
}

void add_tensors(std::string& out, const gguf::File& file) {
  out += "\ntensors\n";
  std::size_t widest = 0;
  for (const TensorInfo& tensor : file.tensors) widest = std::max(widest, printable(tensor.name).size());
  for (const TensorInfo& tensor : file.tensors) {
    fmt::format_to(std::back_inserter(out), "  {:<{}}  {:<8} {:>11}  {}\n", printable(tensor.name), widest,
                   gguf::tensor_type_info(tensor.type).name, format_bytes(tensor.bytes), shape_text(tensor));
  }
}

// ---- JSON

// JSON has no NaN and no infinity.
Json number_json(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

Json element_json(const Array& array, std::size_t i) {
  if (array.element == ValueType::string) return array.strings[i];
  if (array.element == ValueType::f32 || array.element == ValueType::f64) return number_json(array.floats[i]);
  if (array.element == ValueType::boolean) return array.integers[i] != 0;
  return array.integers[i];
}

Json value_json(const Value& value, bool full) {
  Json out = {{"type", gguf::value_type_name(value.type)}};
  if (const auto* held = std::get_if<std::shared_ptr<Array>>(&value.data)) {
    const Array& array = **held;
    const bool whole = full || array.size() <= kShownElements;
    Json elements = Json::array();
    for (std::size_t i = 0; i < (whole ? array.size() : kShownElements); ++i)
      elements.push_back(element_json(array, i));
    out["element"] = gguf::value_type_name(array.element);
    out["length"] = array.size();
    out[whole ? "value" : "first"] = std::move(elements);
  } else if (const auto* real = std::get_if<double>(&value.data)) {
    out["value"] = number_json(*real);
  } else if (const auto* text = std::get_if<std::string>(&value.data)) {
    out["value"] = *text;
  } else if (const auto* flag = std::get_if<bool>(&value.data)) {
    out["value"] = *flag;
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value.data)) {
    out["value"] = *natural;
  } else {
    out["value"] = std::get<std::int64_t>(value.data);
  }
  return out;
}

Json tensor_json(const TensorInfo& tensor) {
  return {{"name", printable(tensor.name, kNoLimit)},
          {"type", gguf::tensor_type_info(tensor.type).name},
          {"dims", std::vector<std::uint64_t>(tensor.dims.begin(), tensor.dims.begin() + tensor.n_dims)},
          {"elements", tensor.elements()},
          {"bytes", tensor.bytes},
          {"offset", tensor.offset},
          {"file", tensor.split}};
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::string inspect_text(const gguf::File& file, bool tensors, bool full) {
  const std::uint64_t parameters = count_parameters(file);
  const std::uint64_t bytes = file.total_tensor_bytes();
  std::string out = printable(file.sources.front()->name(), 400) + "\n";
  if (const auto name = text_of(file, "general.name")) line(out, "name", "{}", printable(*name));
  line(out, "architecture", "{}", printable(text_of(file, "general.architecture").value_or("not given")));
  line(out, "format", "GGUF version {}, alignment {}", file.version, file.alignment);
  line(out, "size", "{} in {} file{}", format_bytes(total_bytes(file)), file.sources.size(),
       file.sources.size() == 1 ? "" : "s");
  line(out, "parameters", "{} in {} tensors, {:.3f} bits each", grouped(parameters), grouped(file.tensors.size()),
       bits_per_weight(bytes, parameters));
  add_types(out, file);
  add_shape(out, file);
  add_tokenizer(out, file);

  out += "\nmetadata\n";
  for (const auto& [key, value] : file.metadata.entries()) {
    fmt::format_to(std::back_inserter(out), "  {:<42} {:<6}  {}\n", printable(key), gguf::value_type_name(value.type),
                   value_text(value, full));
  }
  if (tensors) add_tensors(out, file);
  return out;
}

Json inspect_json(const gguf::File& file, bool full) {
  Json out;
  for (const auto& source : file.sources) out["files"].push_back({{"path", source->name()}, {"bytes", source->size()}});
  out["version"] = file.version;
  out["alignment"] = file.alignment;
  out["name"] = or_null(text_of(file, "general.name"));
  out["architecture"] = or_null(text_of(file, "general.architecture"));
  out["context_length"] = or_null(hyperparameter(file, "context_length"));
  out["layers"] = or_null(hyperparameter(file, "block_count"));
  out["vocabulary"] = or_null(vocabulary_size(file));
  out["parameters"] = count_parameters(file);
  out["tensor_bytes"] = file.total_tensor_bytes();
  out["bits_per_weight"] = bits_per_weight(file.total_tensor_bytes(), count_parameters(file));
  out["types"] = Json::array();
  for (const TypeUse& use : count_types(file)) {
    out["types"].push_back({{"type", gguf::tensor_type_info(use.type).name},
                            {"tensors", use.tensors},
                            {"elements", use.elements},
                            {"bytes", use.bytes}});
  }
  out["metadata"] = Json::object();
  for (const auto& [key, value] : file.metadata.entries()) {
    out["metadata"][printable(key, kNoLimit)] = value_json(value, full);
  }
  out["tensors"] = Json::array();
  for (const TensorInfo& tensor : file.tensors) out["tensors"].push_back(tensor_json(tensor));
  return out;
}

}  // namespace wisp::cli
