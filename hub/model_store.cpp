#include "hub/model_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "hub/file_lock.h"
#include "hub/listing.h"
#include "hub/part_file.h"

namespace wisp::hub {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kIndexEnd = ".wisp.json";
constexpr std::string_view kJournalEnd = ".journal";
constexpr std::uintmax_t kMostIndexBytes = 1u << 20;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// FNV-1a in 64 bits: tells addresses apart in names of folders. The index holds the address itself.
std::uint64_t short_hash(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

// A name for a folder: letters, digits and "-._", bounded.
std::string as_folder(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, 80)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    name += plain ? c : '-';
  }
  return name;
}

Status make_private_folder(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(Code::device, "cannot make the folder {}: {}", printable(folder, 400), std::strerror(errno));
    }
    if (end == std::string::npos) return {};
  }
}

std::string index_path(const StoredModel& model) { return model.path() + std::string(kIndexEnd); }

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::int64_t modified(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_mtime) : 0;
}

// The model of an index file, where all its files are there as they should be.
std::optional<StoredModel> read_index(const std::string& path, const std::string& folder) {
  std::error_code failed;
  if (fs::file_size(path, failed) > kMostIndexBytes || failed) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto index = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || number_of(index, "format") != 1) return std::nullopt;
  StoredModel model{.repository = text_of(index, "repository"),
                    .revision = text_of(index, "revision"),
                    .address = text_of(index, "address"),
                    .commit = text_of(index, "commit"),
                    .stem = text_of(index, "stem"),
                    .type = text_of(index, "type"),
                    .architecture = text_of(index, "architecture"),
                    .context = number_of(index, "context"),
                    .files = {},
                    .pulled = static_cast<std::int64_t>(number_of(index, "pulled")),
                    .last_used = modified(path),
                    .automatic = index.value("automatic", nlohmann::json()) == true,
                    .folder = folder};
  const auto files = index.find("files");
  if (files == index.end() || !files->is_array() || files->empty()) return std::nullopt;
  for (const auto& entry : *files) {
    if (!entry.is_object()) return std::nullopt;
    StoredFile stored{.path = text_of(entry, "path"),
                      .size = number_of(entry, "size"),
                      .sha256 = text_of(entry, "sha256"),
                      .etag = text_of(entry, "etag")};
    if (!is_safe_path(stored.path)) return std::nullopt;
    if (fs::file_size(folder + "/" + stored.path, failed) != stored.size || failed) return std::nullopt;
    model.files.push_back(std::move(stored));
  }
  if (index_path(model) != path) return std::nullopt;
  return model;
}

// Calls `use(path, source folder)` for every file whose name ends so, whichever order they lie in.
template <class Use>
void for_each_ending(const std::string& root, std::string_view ending, Use use) {
  std::error_code failed;
  for (fs::directory_iterator source(root, failed), end; !failed && source != end; source.increment(failed)) {
    const std::string folder = source->path().string();
    std::error_code inside;
    for (fs::recursive_directory_iterator file(folder, inside), last; !inside && file != last; file.increment(inside)) {
      const std::string path = file->path().string();
      if (path.ends_with(ending) && file->is_regular_file(inside)) use(path, folder);
    }
  }
}

// Deepest first.
void remove_if_empty(const std::string& folder) {
  std::error_code failed;
  for (fs::directory_iterator inside(folder, failed), end; !failed && inside != end; inside.increment(failed)) {
    std::error_code ignored;
    if (inside->symlink_status(ignored).type() == fs::file_type::directory) remove_if_empty(inside->path().string());
  }
  ::rmdir(folder.c_str());
}

bool fits(const StoredModel& model, const ModelName& name) {
  if (name.kind == ModelName::Kind::address) return model.address == name.text;
  if (name.kind == ModelName::Kind::local) {
    return lower(model.short_name()) == lower(name.text) || model.canonical() == name.text;
  }
  return lower(model.repository) == lower(name.repository) && model.revision == name.revision;
}

}  // namespace

std::uint64_t StoredModel::bytes() const {
  std::uint64_t sum = 0;
  for (const StoredFile& file : files) sum += file.size;
  return sum;
}

std::string StoredModel::canonical() const {
  if (repository.empty()) return address;
  return ModelName{.kind = ModelName::Kind::repository,
                   .repository = repository,
                   .revision = revision,
                   .selection = files.front().path,
                   .text = {},
                   .query = {}}
      .canonical();
}

std::string StoredModel::short_name() const { return stem.substr(stem.rfind('/') + 1); }

std::string ModelStore::source_folder(const ModelName& name) const {
  if (name.kind == ModelName::Kind::repository) {
    std::string folder = "hf--" + name.repository;
    folder.replace(folder.find('/'), 1, "--");
    if (name.revision != kMainRevision) {
      folder += fmt::format("--{}-{:016x}", as_folder(name.revision), short_hash(name.revision));
    }
    return folder_ + "/" + folder;
  }
  const std::string_view host = std::string_view(name.text).substr(name.text.find("://") + 3);
  return fmt::format("{}/url--{}-{:016x}", folder_, as_folder(host.substr(0, host.find('/'))), short_hash(name.text));
}

std::string ModelStore::lock_path(std::string file) {
  constexpr std::size_t kTail = std::string_view("-00001-of-00003.gguf").size();
  if (file.size() > kTail && lower(file.substr(file.size() - 14, 4)) == "-of-") {
    file.replace(file.size() - kTail + 1, 5, "00001");
  }
  return file + ".lock";
}

Result<std::string> ModelStore::make_folder(const ModelName& name, std::string_view path) const {
  if (folder_.empty()) {
    return fail(Code::invalid_argument, "there is no place to keep models: neither HOME nor XDG_CACHE_HOME is set");
  }
  std::string folder = source_folder(name);
  const std::string whole = fmt::format("{}/{}", folder, path);
  WISP_CHECK(make_private_folder(whole.substr(0, whole.rfind('/'))));
  // It may have been made by someone with another idea of who should read it.
  static_cast<void>(::chmod(folder_.c_str(), 0700));
  return folder;
}

std::vector<StoredModel> ModelStore::list() const {
  std::vector<StoredModel> models;
  if (folder_.empty()) return models;
  for_each_ending(folder_, kIndexEnd, [&](const std::string& path, const std::string& folder) {
    if (auto model = read_index(path, folder)) models.push_back(*std::move(model));
  });
  std::ranges::sort(models, [](const StoredModel& a, const StoredModel& b) {
    return std::pair(a.short_name(), a.canonical()) < std::pair(b.short_name(), b.canonical());
  });
  return models;
}

std::vector<StoredPart> ModelStore::parts() const {
  std::vector<StoredPart> parts;
  if (folder_.empty()) return parts;
  for_each_ending(folder_, kJournalEnd, [&](const std::string& path, const std::string&) {
    StoredPart part{.path = path.substr(0, path.size() - kJournalEnd.size()), .source = {}};
    std::ifstream file(path, std::ios::binary);
    std::string line;
    std::getline(file, line);
    const auto head = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (head.is_object()) {
      part.source = text_of(head, "source");
      part.size = number_of(head, "size");
      if (const auto begun = PartFile::resume(part.path, part.source)) part.done = begun->done_bytes();
    }
    parts.push_back(std::move(part));
  });
  std::set<std::string> known;
  for (const StoredModel& model : list()) {
    for (const StoredFile& file : model.files) known.insert(model.folder + "/" + file.path);
  }
  for_each_ending(folder_, "", [&](const std::string& path, const std::string&) {
    std::error_code failed;
    const std::uintmax_t size = fs::file_size(path, failed);
    if (failed || !lower(path).ends_with(".gguf") || known.contains(path)) return;
    parts.push_back({.path = path, .source = {}, .done = size, .size = size});
  });
  std::ranges::sort(parts, {}, &StoredPart::path);
  return parts;
}

Result<std::optional<StoredModel>> ModelStore::find(const ModelName& name) const {
  std::vector<StoredModel> found;
  for (StoredModel& model : list()) {
    if (fits(model, name)) found.push_back(std::move(model));
  }
  if (name.kind == ModelName::Kind::repository && !name.selection.empty() && !found.empty()) {
    // The same rules as for the repository itself, among what is here.
    std::vector<RemoteFile> files;
    for (const StoredModel& model : found) {
      for (const StoredFile& file : model.files) files.push_back({.path = file.path, .size = file.size, .sha256 = {}});
    }
    const Listing here = group_models(std::move(files));
    const Result<const RemoteModel*> chosen = select_model(here, name.selection);
    if (!chosen) {
      if (chosen.error().code == Code::invalid_argument) return std::unexpected(chosen.error());
      return std::nullopt;
    }
    const std::string& first = (*chosen)->files.front().path;
    std::erase_if(found, [&](const StoredModel& model) { return model.files.front().path != first; });
  }
  if (found.empty()) return std::nullopt;
  if (name.kind == ModelName::Kind::local && found.size() > 1) {
    std::string names;
    for (const StoredModel& model : found) names += (names.empty() ? "" : ", ") + model.canonical();
    return fail(Code::invalid_argument, "'{}' may be any of {}", printable(name.text), printable(names, 600));
  }
  const auto best = std::ranges::max_element(found, [](const StoredModel& a, const StoredModel& b) {
    return std::pair(a.automatic, a.last_used) < std::pair(b.automatic, b.last_used);
  });
  return std::move(*best);
}

Status ModelStore::remember(const StoredModel& model) const {
  Json files = Json::array();
  for (const StoredFile& file : model.files) {
    files.push_back({{"path", file.path}, {"size", file.size}, {"sha256", file.sha256}, {"etag", file.etag}});
  }
  const Json index = {{"format", 1},
                      {"repository", model.repository},
                      {"revision", model.revision},
                      {"address", model.address},
                      {"commit", model.commit},
                      {"stem", model.stem},
                      {"type", model.type},
                      {"architecture", model.architecture},
                      {"context", model.context},
                      {"pulled", model.pulled < 0 ? 0 : static_cast<std::uint64_t>(model.pulled)},
                      {"automatic", model.automatic},
                      {"files", files}};
  const std::string path = index_path(model), unfinished = fmt::format("{}.{}", path, ::getpid());
  const std::string text = index.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const int file = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) {
    written = ::fsync(file) == 0 && written;
    written = ::close(file) == 0 && written;
  }
  if (written && std::rename(unfinished.c_str(), path.c_str()) == 0) return {};
  const std::string why = std::strerror(errno);
  ::unlink(unfinished.c_str());
  return fail(Code::device, "cannot write {}: {}", printable(path, 400), why);
}

void ModelStore::forget(const StoredModel& model) const { ::unlink(index_path(model).c_str()); }

void ModelStore::touch(const StoredModel& model) const { ::utimensat(AT_FDCWD, index_path(model).c_str(), nullptr, 0); }

Status ModelStore::remove(const StoredModel& model) const {
  {
    WISP_TRY(const FileLock lock, FileLock::try_acquire(lock_path(model.path())));
    forget(model);
    for (const StoredFile& file : model.files) {
      const std::string path = model.folder + "/" + file.path;
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail(Code::io, "cannot remove {}: {}", printable(path, 400), std::strerror(errno));
      }
      PartFile::discard(path);
    }
  }
  remove_if_empty(model.folder);
  return {};
}

Status ModelStore::remove(const StoredPart& part) const {
  {
    WISP_TRY(const FileLock lock, FileLock::try_acquire(lock_path(part.path)));
    PartFile::discard(part.path);
    ::unlink((part.path + std::string(kIndexEnd)).c_str());
    if (::unlink(part.path.c_str()) != 0 && errno != ENOENT) {
      return fail(Code::io, "cannot remove {}: {}", printable(part.path, 400), std::strerror(errno));
    }
  }
  remove_empty_folders();
  return {};
}

void ModelStore::remove_empty_folders() const {
  std::error_code failed;
  if (folder_.empty()) return;
  for (fs::directory_iterator source(folder_, failed), end; !failed && source != end; source.increment(failed)) {
    if (source->is_directory(failed)) remove_if_empty(source->path().string());
  }
}

}  // namespace wisp::hub
