#include "hub/listing.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "hub/model_name.h"

namespace wisp::hub {
namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_gguf(std::string_view path) { return upper(path).ends_with(".GGUF"); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "Q4_K_M", "IQ2_XXS", "TQ1_0", "Q4_0_4_8": a width and what follows it by underscores.
bool is_block_type(std::string_view word) {
  if (word.starts_with("IQ") || word.starts_with("TQ")) word.remove_prefix(1);
  if (word.size() < 2 || word[0] != 'Q' || word[1] < '1' || word[1] > '9') return false;
  word.remove_prefix(2);
  constexpr std::string_view kPieces[] = {"0", "1", "4", "8", "K", "S", "M", "L", "XS", "XXS", "XL", "XXL", "NL", "P"};
  while (!word.empty()) {
    if (word[0] != '_') return false;
    word.remove_prefix(1);
    const std::string_view piece = word.substr(0, word.find('_'));
    if (std::ranges::find(kPieces, piece) == std::end(kPieces)) return false;
    word.remove_prefix(piece.size());
  }
  return true;
}

// `word` in upper case as a type, or "".
std::string as_type(std::string_view word) {
  if (word == "F16" || word == "FP16") return "F16";
  if (word == "F32" || word == "FP32") return "F32";
  for (const std::string_view plain : {"BF16", "MXFP4", "MXFP4_MOE", "NVFP4"}) {
    if (word == plain) return std::string(plain);
  }
  return is_block_type(word) ? std::string(word) : "";
}

struct PartName {
  std::string_view stem;
  std::uint32_t number = 0, count = 0;
};

// "stem-00001-of-00003" (without ".gguf").
std::optional<PartName> parse_part(std::string_view name) {
  constexpr std::size_t kTail = std::string_view("-00001-of-00003").size();
  if (name.size() <= kTail) return std::nullopt;
  const std::string_view tail = name.substr(name.size() - kTail);
  if (tail[0] != '-' || upper(tail.substr(6, 4)) != "-OF-") return std::nullopt;
  PartName part{.stem = name.substr(0, name.size() - kTail)};
  const std::string_view number = tail.substr(1, 5), count = tail.substr(10, 5);
  if (!std::ranges::all_of(number, is_digit) || !std::ranges::all_of(count, is_digit)) return std::nullopt;
  std::from_chars(number.data(), number.data() + 5, part.number);
  std::from_chars(count.data(), count.data() + 5, part.count);
  if (part.number < 1 || part.number > part.count) return std::nullopt;
  return part;
}

// Files that go with a model and are none.
bool is_companion(std::string_view path) {
  const std::string name = upper(file_name(path));
  return name.find("MMPROJ") != std::string::npos || name.find("IMATRIX") != std::string::npos ||
         name.find("LORA") != std::string::npos || name.starts_with("GGML-VOCAB");
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

// A file of the tree, where it is one.
std::optional<RemoteFile> read_entry(const nlohmann::json& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto text = [](const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto size = [](const nlohmann::json& object) -> std::optional<std::uint64_t> {
    const auto found = object.find("size");
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
  };
  if (text(entry, "type") != "file") return std::nullopt;
  RemoteFile file{.path = text(entry, "path"), .size = 0, .sha256 = {}};
  if (!is_gguf(file.path) || !is_safe_path(file.path)) return std::nullopt;
  std::optional<std::uint64_t> bytes = size(entry);
  if (const auto lfs = entry.find("lfs"); lfs != entry.end() && lfs->is_object()) {
    file.sha256 = text(*lfs, "oid");
    if (file.sha256.starts_with("sha256:")) file.sha256.erase(0, 7);
    if (!is_sha256(file.sha256)) file.sha256.clear();
    // Some servers give the pointer's size outside.
    if (const auto real = size(*lfs)) bytes = real;
  }
  if (!bytes || *bytes > (std::uint64_t{1} << 50)) return std::nullopt;
  file.size = *bytes;
  return file;
}

// "Q8_0", or the stem where the type is not told.
std::string short_name(const RemoteModel& model) { return model.type.empty() ? model.stem : model.type; }

}  // namespace

std::uint64_t RemoteModel::bytes() const {
  std::uint64_t sum = 0;
  for (const RemoteFile& file : files) sum += file.size;  // at most 2^50 each, and kMostFiles of them
  return sum;
}

std::string type_in_name(std::string_view path) {
  std::string text = upper(path);
  if (text.ends_with(".GGUF")) text.resize(text.size() - 5);
  if (const auto part = parse_part(text)) text.resize(part->stem.size());
  // Words end at '-', '.' and '/', and start there or at '_': "model_q4_0" too.
  for (std::size_t end = text.size();;) {
    const std::size_t before = end == 0 ? std::string::npos : text.find_last_of("-./ ", end - 1);
    const std::size_t start = before == std::string::npos ? 0 : before + 1;
    for (std::size_t from = start; from < end;) {
      std::string type = as_type(std::string_view(text).substr(from, end - from));
      if (!type.empty()) {
        const bool dynamic = from == start && start >= 3 && text.compare(start - 3, 2, "UD") == 0 &&
                             (start == 3 || std::string_view("-./_ ").find(text[start - 4]) != std::string_view::npos);
        return dynamic ? "UD-" + type : type;
      }
      const std::size_t underscore = text.find('_', from);
      from = underscore == std::string::npos || underscore >= end ? end : underscore + 1;
    }
    if (before == std::string::npos) return {};
    end = before;
  }
}

Status add_tree_page(std::string_view json, std::vector<RemoteFile>& files) {
  const auto tree = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!tree.is_array()) return fail(Code::invalid_file, "the list of files is not a JSON array");
  for (const auto& entry : tree) {
    std::optional<RemoteFile> file = read_entry(entry);
    if (!file) continue;
    if (files.size() == kMostFiles) return fail(Code::limit, "the repository lists more than {} files", kMostFiles);
    files.push_back(*std::move(file));
  }
  return {};
}

Listing group_models(std::vector<RemoteFile> files) {
  Listing listing;
  std::map<std::pair<std::string, std::uint32_t>, RemoteModel> groups;
  std::ranges::sort(files, {}, &RemoteFile::path);
  for (RemoteFile& file : files) {
    if (is_companion(file.path)) {
      listing.others.push_back(std::move(file.path));
      continue;
    }
    const std::string_view name = std::string_view(file.path).substr(0, file.path.size() - 5);
    const std::optional<PartName> part = parse_part(name);
    const std::string stem(part ? part->stem : name);
    RemoteModel& model = groups[{stem, part ? part->count : 0}];
    model.stem = stem;
    model.type = type_in_name(file.path);
    model.parts = part ? part->count : 1;
    if (!model.files.empty() && model.files.back().path == file.path) continue;
    model.files.push_back(std::move(file));
  }
  for (auto& [key, model] : groups) listing.models.push_back(std::move(model));
  std::ranges::sort(listing.models, [](const RemoteModel& a, const RemoteModel& b) {
    return a.bytes() != b.bytes() ? a.bytes() > b.bytes() : a.stem < b.stem;
  });
  return listing;
}

Result<const RemoteModel*> select_model(const Listing& listing, std::string_view selection) {
  const std::string wanted = upper(selection);
  const std::string type = as_type(wanted).empty() ? wanted : as_type(wanted);
  std::vector<const RemoteModel*> found;
  // The most exact meaning that something has: a path or a stem, a file's name, a type, a type without its "UD-".
  for (int meaning = 0; meaning < 4 && found.empty(); ++meaning) {
    for (const RemoteModel& model : listing.models) {
      const auto names = [&](auto matches) { return std::ranges::any_of(model.files, matches); };
      const bool fits =
          meaning == 0   ? upper(model.stem) == wanted || names([&](const auto& f) { return upper(f.path) == wanted; })
          : meaning == 1 ? upper(file_name(model.stem)) == wanted ||
                               names([&](const auto& f) { return upper(file_name(f.path)) == wanted; })
          : meaning == 2 ? model.type == type
                         : model.type == "UD-" + type;
      if (fits) found.push_back(&model);
    }
  }
  if (found.empty()) {
    if (listing.models.empty()) return fail(Code::not_found, "the repository holds no model in GGUF files");
    return fail(Code::not_found, "there is no '{}'; there are {}", printable(selection), describe_models(listing));
  }
  if (found.size() > 1) {
    std::string names;
    for (const RemoteModel* model : found) names += (names.empty() ? "" : ", ") + model->files.front().path;
    return fail(Code::invalid_argument, "'{}' may be any of {}; name the file", printable(selection),
                printable(names, 600));
  }
  if (!found.front()->complete()) {
    return fail(Code::invalid_file, "{} has {} of its {} parts in the repository", printable(found.front()->stem, 200),
                found.front()->files.size(), found.front()->parts);
  }
  return found.front();
}

std::string describe_models(const Listing& listing) {
  constexpr std::size_t kMost = 30;
  std::string text;
  for (std::size_t i = 0; i < listing.models.size() && i < kMost; ++i) {
    const RemoteModel& model = listing.models[i];
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", printable(short_name(model)), format_bytes(model.bytes()));
  }
  if (listing.models.size() > kMost) text += fmt::format(" and {} more", listing.models.size() - kMost);
  return text;
}

}  // namespace wisp::hub
