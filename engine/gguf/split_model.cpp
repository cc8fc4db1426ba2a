// open_model: a model in one file, or split over several as gguf-split does: name-00001-of-00003.gguf and so on, each a
// GGUF file of its own. The first part holds the metadata; all say split.no, split.count and split.tensors.count.
#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "gguf/reader.h"

namespace wisp::gguf {

namespace {

// "dir/name-00002-of-00003.gguf" is {"dir/name", 2, 3}.
struct PartName {
  std::string stem;
  std::uint64_t number = 0;  // from 1
  std::uint64_t count = 0;

  [[nodiscard]] std::string part(std::uint64_t one_based) const {
    return fmt::format("{}-{:05}-of-{:05}.gguf", stem, one_based, count);
  }
};

std::optional<std::uint64_t> five_digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.size() != 5 || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<PartName> parse_part_name(std::string_view path) {
  constexpr std::string_view kShape = "-00001-of-00001.gguf";
  if (path.size() <= kShape.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kShape.size());
  const auto number = five_digits(tail.substr(1, 5));
  const auto count = five_digits(tail.substr(10, 5));
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf" || !number || !count)
    return std::nullopt;
  return PartName{std::string(path.substr(0, path.size() - kShape.size())), *number, *count};
}

Result<File> open_file(const std::string& path, Access access) {
  WISP_TRY(std::unique_ptr<ByteSource> source, access == Access::mapped ? open_mapped(path) : open_pread(path));
  return read_file(source);
}

// Does `part`, found at `path`, belong to the model whose first part is `first`?
Status check_part(const File& first, const File& part, std::uint64_t index, const std::string& path) {
  for (const char* key : {"split.count", "split.tensors.count"}) {
    const auto expected = first.metadata.unsigned_integer(key);
    const auto found = part.metadata.unsigned_integer(key);
    if (!expected) return fail_in(expected.error(), "{}", printable(first.sources[0]->name(), 400));
    if (!found) return fail_in(found.error(), "{}", printable(path, 400));
    if (*expected != *found) {
      return fail(Code::invalid_file, "{} is a part of another model: its {} is {}, the first part says {}",
                  printable(path, 400), key, *found, *expected);
    }
  }
  const auto number = part.metadata.unsigned_integer("split.no");
  if (!number) return fail_in(number.error(), "{}", printable(path, 400));
  if (*number != index) {
    return fail(Code::invalid_file, "{} is named as part {}, but its split.no says part {}", printable(path, 400),
                index + 1, *number + 1);
  }
  // Parts after the first need not tell what they are; where they do, it must agree.
  for (const char* key : {"general.architecture", "general.uuid", "general.name"}) {
    const auto expected = first.metadata.text(key);
    const auto found = part.metadata.text(key);
    if (expected && found && *expected != *found) {
      return fail(Code::invalid_file, "{} is a part of another model: its {} is '{}', the first part says '{}'",
                  printable(path, 400), key, printable(*found), printable(*expected));
    }
  }
  return {};
}

// Appends the part's tensors and source.
Status join_part(File& model, File part, const std::string& path) {
  const int split = static_cast<int>(model.sources.size());
  for (TensorInfo& tensor : part.tensors) {
    tensor.split = split;
    if (Status status = model.add_tensor(std::move(tensor)); !status) {
      return fail_in(std::move(status).error(), "{} repeats a tensor of an earlier part", printable(path, 400));
    }
  }
  model.sources.push_back(std::move(part.sources[0]));
  return {};
}

Result<File> open_parts(const PartName& name, Access access) {
  std::vector<File> parts;
  for (std::uint64_t index = 0; index < name.count; ++index) {
    const std::string path = name.part(index + 1);
    Result<File> part = open_file(path, access);
    if (!part && part.error().code == Code::not_found) {
      return fail(Code::not_found, "part {} of {} of the model is missing: {}; put all parts in one folder", index + 1,
                  name.count, printable(path, 400));
    }
    if (!part) return std::unexpected(std::move(part).error());
    // Before the next one is opened: what a hostile count promises may not be there.
    WISP_CHECK(check_part(parts.empty() ? *part : parts[0], *part, index, path));
    parts.push_back(*std::move(part));
  }
  return join_parts(std::move(parts));
}

}  // namespace

Result<File> join_parts(std::vector<File> parts) {
  if (parts.empty()) return fail(Code::invalid_argument, "a model has at least one part");
  WISP_TRY(const std::uint64_t count, parts[0].metadata.unsigned_integer_or("split.count", 1));
  if (std::max<std::uint64_t>(count, 1) != parts.size()) {
    return fail(Code::invalid_file, "the model is split into {} parts, and {} {} given", count, parts.size(),
                parts.size() == 1 ? "was" : "were");
  }
  if (parts.size() == 1) return std::move(parts[0]);
  std::vector<std::string> names;
  for (std::size_t index = 0; index < parts.size(); ++index) {
    names.push_back(parts[index].sources[0]->name());
    WISP_CHECK(check_part(parts[0], parts[index], index, names.back()));
  }
  File model = std::move(parts[0]);
  for (std::size_t index = 1; index < parts.size(); ++index) {
    WISP_CHECK(join_part(model, std::move(parts[index]), names[index]));
  }
  WISP_TRY(const std::uint64_t expected, model.metadata.unsigned_integer("split.tensors.count"));
  if (model.tensors.size() != expected) {
    return fail(Code::invalid_file, "the {} parts of {} hold {} tensors, but split.tensors.count says {}", names.size(),
                printable(names[0], 400), model.tensors.size(), expected);
  }
  return model;
}

Result<File> open_model(const std::string& path, Access access) {
  WISP_TRY(File file, open_file(path, access));
  Result<std::uint64_t> count = file.metadata.unsigned_integer_or("split.count", 1);
  if (!count) return fail_in(std::move(count).error(), "{}", printable(path, 400));
  if (*count <= 1) return file;
  const std::optional<PartName> name = parse_part_name(path);
  if (!name) {
    return fail(Code::invalid_file,
                "{} is one of {} parts of a model; parts are found by name, so it must be called "
                "NAME-00001-of-{:05}.gguf (with its own number)",
                printable(path, 400), *count, *count);
  }
  if (name->count != *count) {
    return fail(Code::invalid_file, "{} is named as one of {} parts, but its split.count says {}", printable(path, 400),
                name->count, *count);
  }
  return open_parts(*name, access);
}

}  // namespace wisp::gguf
