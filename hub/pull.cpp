#include "hub/pull.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "hub/download.h"
#include "hub/file_lock.h"
#include "hub/sha256.h"

namespace wisp::hub {
namespace {

constexpr std::uint64_t kFirstHeaderBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostHeaderBytes = std::uint64_t{256} << 20;

// An address has no list: its one file, or all parts where it names one of several.
Result<RemoteModel> model_of_address(const ModelName& name, const std::string& sha256) {
  std::string file = name.text.substr(name.text.find("://") + 3);
  file = file.find('/') == std::string::npos ? "" : file.substr(file.rfind('/') + 1);
  if (!is_safe_path(file)) file = "model.gguf";
  const std::string extension = file.size() < 5 ? "" : file.substr(file.size() - 5);
  const bool is_gguf = extension == ".gguf" || extension == ".GGUF";
  const Listing listing = group_models({{.path = is_gguf ? file : file + ".gguf", .size = 0, .sha256 = sha256}});
  if (listing.models.empty()) {
    return fail(Code::invalid_argument, "{} goes with a model and is none by itself", printable(file));
  }
  RemoteModel model = listing.models.front();
  if (model.parts > 1) {
    if (!sha256.empty())
      return fail(Code::invalid_argument, "--sha256 is for one file; this is one of {}", model.parts);
    model.files.clear();
    const std::string tail = file.substr(file.size() - std::string_view("-of-00003.gguf").size());
    if (model.parts > 1000) return fail(Code::limit, "{} names more than 1000 parts", printable(file));
    for (std::uint32_t i = 1; i <= model.parts; ++i) {
      model.files.push_back({.path = fmt::format("{}-{:05}{}", model.stem, i, tail), .size = 0, .sha256 = {}});
    }
  }
  return model;
}

bool is_file_of(const std::string& path, std::uint64_t size) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == size;
}

// One pull, step by step.
class Pull {
 public:
  Pull(const ModelStore& store, const HuggingFace& hub, const ModelName& name, const PullOptions& options,
       const PullHooks& hooks)
      : store_(store), hub_(hub), name_(name), options_(options), hooks_(hooks) {}

  Result<Pulled> from_repository();
  Result<Pulled> from_address();

 private:
  [[nodiscard]] std::string source_of(const RemoteFile& file) const;
  [[nodiscard]] std::string url_of(const RemoteFile& file) const;
  Status lock(const RemoteModel& model);
  [[nodiscard]] std::optional<StoredModel> current(const RemoteModel& model) const;
  [[nodiscard]] std::optional<StoredModel> any_current(const Listing& listing) const;
  Result<Pulled> fetch(const RemoteModel& model, std::string why);
  Result<std::unique_ptr<Download>> begin(const RemoteFile& file, std::uint64_t before, std::uint64_t all);
  Result<Fetched> fetch_file(const RemoteModel& model, std::size_t index, std::uint64_t before, Pulled& pulled);
  Result<std::optional<Fetched>> adopt(const RemoteFile& file);
  Result<gguf::File> read_header(const RemoteModel& model);
  Status read_about(Pulled& pulled);
  void drop_headers_but(const RemoteModel* chosen);
  [[nodiscard]] Pulled here(StoredModel model) const;

  const ModelStore& store_;
  const HuggingFace& hub_;
  const ModelName& name_;
  const PullOptions& options_;
  const PullHooks& hooks_;
  std::string folder_;
  std::map<std::string, FileLock> locks_;                   // by first file
  std::map<std::string, std::unique_ptr<Download>> begun_;  // first files whose header was read
  std::optional<StoredModel> replaced_;                     // an older version, whose files keep their names
  bool has_siblings_ = false;                               // the address is one of several parts
  std::uint64_t received_ = 0;                              // of those that were not chosen
};

std::string Pull::source_of(const RemoteFile& file) const {
  if (name_.kind == ModelName::Kind::address) return name_.text + "#" + file.path;
  return "hf:" + name_.repository + "@" + name_.revision + ":" + file.path;
}

std::string Pull::url_of(const RemoteFile& file) const {
  if (name_.kind == ModelName::Kind::repository) return hub_.file_url(name_.repository, name_.revision, file.path);
  if (!has_siblings_) return name_.text + name_.query;
  return name_.text.substr(0, name_.text.rfind('/') + 1) + file.path + name_.query;
}

Status Pull::lock(const RemoteModel& model) {
  const std::string& first = model.files.front().path;
  if (locks_.contains(first)) return {};
  WISP_TRY(folder_, store_.make_folder(name_, first));
  bool said = false;
  const auto acquire = [&] {
    return FileLock::acquire(ModelStore::lock_path(folder_ + "/" + first), [&] {
      if (!said) hooks_.say("another wisp is fetching this model; waiting for it");
      said = true;
      return hooks_.progress("waiting", 0, 0);
    });
  };
  Result<FileLock> lock = acquire();
  if (!lock && lock.error().code == Code::device) {
    // Another process may have removed the folder while it was empty.
    WISP_TRY(folder_, store_.make_folder(name_, first));
    lock = acquire();
  }
  if (!lock) return std::unexpected(std::move(lock).error());
  locks_.emplace(first, *std::move(lock));
  return {};
}

// What is stored of `model`, where it is still what the repository has.
std::optional<StoredModel> Pull::current(const RemoteModel& model) const {
  for (StoredModel& stored : store_.list()) {
    const bool same_source = name_.kind == ModelName::Kind::address
                                 ? stored.address == name_.text
                                 : stored.repository == name_.repository && stored.revision == name_.revision;
    if (!same_source || stored.files.size() != model.files.size()) continue;
    const bool same = std::ranges::equal(stored.files, model.files, [](const StoredFile& a, const RemoteFile& b) {
      return a.path == b.path && (b.size == 0 || a.size == b.size) && (b.sha256.empty() || a.sha256 == b.sha256);
    });
    if (same) return std::move(stored);
  }
  return std::nullopt;
}

std::optional<StoredModel> Pull::any_current(const Listing& listing) const {
  std::optional<StoredModel> best;
  for (const RemoteModel& model : listing.models) {
    auto stored = current(model);
    if (stored &&
        (!best || std::pair(stored->automatic, stored->last_used) > std::pair(best->automatic, best->last_used))) {
      best = std::move(stored);
    }
  }
  return best;
}

Pulled Pull::here(StoredModel model) const {
  store_.touch(model);
  return Pulled{.model = std::move(model), .why = {}, .was_here = true};
}

Result<Pulled> Pull::from_repository() {
  WISP_TRY(const Listing listing,
           list_repository(hub_, name_, options_.patience, [&] { return hooks_.progress("asking", 0, 0); }));
  if (listing.models.empty()) {
    return fail(Code::not_found, "hf:{} holds no model in GGUF files{}", name_.repository,
                listing.others.empty() ? "; look for a repository whose name ends in -GGUF"
                                       : ", only files that go with one: " + printable(listing.others.front(), 200));
  }
  Choice choice;
  if (name_.selection.empty()) {
    if (auto stored = any_current(listing)) return here(*std::move(stored));
    WISP_TRY(choice, hooks_.choose(listing, [this](const RemoteModel& model) { return read_header(model); }));
    hooks_.say(choice.why);
  } else {
    Result<const RemoteModel*> selected = select_model(listing, name_.selection);
    if (!selected) return fail_in(std::move(selected).error(), "hf:{}", name_.repository);
    choice.model = *selected;
  }
  drop_headers_but(choice.model);
  return fetch(*choice.model, std::move(choice.why));
}

Result<Pulled> Pull::from_address() {
  WISP_TRY(const RemoteModel model, model_of_address(name_, options_.sha256));
  has_siblings_ = model.parts > 1;
  return fetch(model, {});
}

// What was read of types that are not fetched is of no use later.
void Pull::drop_headers_but(const RemoteModel* chosen) {
  for (auto begun = begun_.begin(); begun != begun_.end();) {
    if (begun->first == chosen->files.front().path) {
      ++begun;
      continue;
    }
    received_ += begun->second->received_bytes();
    const bool was_begun = begun->second->resumed_bytes() > 0;
    begun->second.reset();
    if (!was_begun) PartFile::discard(folder_ + "/" + begun->first);
    locks_.erase(begun->first);
    begun = begun_.erase(begun);
  }
}

Result<std::unique_ptr<Download>> Pull::begin(const RemoteFile& file, std::uint64_t before, std::uint64_t all) {
  WISP_TRY(folder_, store_.make_folder(name_, file.path));
  const std::string url = url_of(file);
  const auto show = [this, before, all](std::string_view what, std::uint64_t done, std::uint64_t total) {
    return hooks_.progress(what, before + done, std::max(all, before + total));
  };
  const bool repository = name_.kind == ModelName::Kind::repository;
  return std::make_unique<Download>(
      DownloadRequest{.url = url,
                      .shown = repository ? "hf:" + name_.repository + ":" + file.path : url.substr(0, url.find('?')),
                      .source = source_of(file),
                      .path = folder_ + "/" + file.path,
                      .access = hub_.access_to(url),
                      .size = file.size,
                      .sha256 = file.sha256,
                      .connections = options_.connections,
                      .patience = options_.patience},
      DownloadHooks{
          .progress = [show](std::uint64_t done, std::uint64_t total) { return show("fetching", done, total); },
          .checking = [show](std::uint64_t done, std::uint64_t total) { return show("checking", done, total); },
          .say = hooks_.say});
}

Result<gguf::File> Pull::read_header(const RemoteModel& model) {
  const RemoteFile& file = model.files.front();
  WISP_CHECK(lock(model));
  std::unique_ptr<Download>& download = begun_[file.path];
  if (download == nullptr) {
    WISP_TRY(download, begin(file, 0, file.size));
  }
  WISP_CHECK(download->fetch(kFirstHeaderBytes));
  auto stream = std::make_unique<gguf::StreamSource>(download->size(), file.path);
  gguf::StreamSource& fed = *stream;
  std::unique_ptr<gguf::ByteSource> source = std::move(stream);
  std::uint64_t have = 0, want = std::min(kFirstHeaderBytes, download->size());
  std::vector<std::byte> bytes;
  while (true) {
    WISP_CHECK(download->fetch(want));
    bytes.resize(static_cast<std::size_t>(want - have));
    WISP_CHECK(download->read(have, bytes));
    WISP_CHECK(fed.feed(have, bytes));
    have = want;
    Result<gguf::File> header = gguf::read_file(source);
    if (header || header.error().code != Code::need_more_data) return header;
    const gguf::StreamSource::Range wanted = fed.wanted();
    want = std::min(std::max(have * 2, wanted.offset + wanted.length), download->size());
    if (want <= have || want > kMostHeaderBytes)
      return fail(Code::limit, "the header of {} does not end", printable(file.path, 200));
  }
}

// A file that an earlier run completed before it was ended: nothing is fetched twice.
Result<std::optional<Fetched>> Pull::adopt(const RemoteFile& file) {
  const std::string path = folder_ + "/" + file.path;
  if (file.size == 0 || file.sha256.empty() || !is_file_of(path, file.size)) return std::nullopt;
  WISP_TRY(const std::string hash,
           sha256_of_file(path, [&](std::uint64_t done) { return hooks_.progress("checking", done, file.size); }));
  if (hash != file.sha256) return std::nullopt;
  return Fetched{.size = file.size, .sha256 = hash, .sha256_known = true, .etag = {}, .commit = {}};
}

Result<Fetched> Pull::fetch_file(const RemoteModel& model, std::size_t index, std::uint64_t before, Pulled& pulled) {
  const RemoteFile& file = model.files[index];
  std::unique_ptr<Download> download;
  if (const auto begun = begun_.find(file.path); begun != begun_.end()) {
    download = std::move(begun->second);
    begun_.erase(begun);
  } else {
    WISP_TRY(std::optional<Fetched> adopted, adopt(file));
    if (adopted) {
      pulled.resumed += file.size;
      return *std::move(adopted);
    }
    WISP_TRY(download, begin(file, before, model.bytes()));
  }
  const Status fetched = download->fetch_all();
  pulled.received += download->received_bytes();
  pulled.resumed += download->resumed_bytes();
  WISP_CHECK(fetched);
  // From here on its files are no longer those of the index.
  if (replaced_) store_.forget(*replaced_);
  return download->finish();
}

Result<Pulled> Pull::fetch(const RemoteModel& model, std::string why) {
  WISP_CHECK(lock(model));
  // Perhaps it was there before, perhaps another process has just finished it.
  if (auto stored = current(model)) {
    Pulled pulled = here(*std::move(stored));
    pulled.why = std::move(why);
    return pulled;
  }
  Pulled pulled{.model = {.repository = name_.repository,
                          .revision = name_.revision,
                          .address = name_.kind == ModelName::Kind::address ? name_.text : "",
                          .commit = {},
                          .stem = model.stem,
                          .type = model.type,
                          .architecture = {},
                          .files = {},
                          .pulled = static_cast<std::int64_t>(std::time(nullptr)),
                          .automatic = !why.empty(),
                          .folder = folder_},
                .why = std::move(why),
                .received = received_,
                .verified = true};
  for (const StoredModel& stored : store_.list()) {
    if (stored.folder != folder_ || stored.files.front().path != model.files.front().path) continue;
    hooks_.say("the model has changed at its source since it was fetched; fetching the new one");
    replaced_ = stored;
  }
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    WISP_TRY(Fetched file, fetch_file(model, i, before, pulled));
    before += file.size;
    pulled.verified = pulled.verified && file.sha256_known;
    if (!file.commit.empty()) pulled.model.commit = file.commit;
    pulled.model.files.push_back({.path = model.files[i].path,
                                  .size = file.size,
                                  .sha256 = std::move(file.sha256),
                                  .etag = std::move(file.etag)});
  }
  WISP_CHECK(read_about(pulled));
  WISP_CHECK(store_.remember(pulled.model));
  return pulled;
}

// Architecture and context, from the header. Where no hash says that these are the right bytes, a header that cannot be
// read, or tensors past the end, show that they are not.
Status Pull::read_about(Pulled& pulled) {
  StoredModel& model = pulled.model;
  const Result<gguf::File> file = gguf::open_model(model.path(), gguf::Access::pread);
  if (!file && !pulled.verified && file.error().code != Code::unsupported) {
    for (const StoredFile& stored : model.files) ::unlink((model.folder + "/" + stored.path).c_str());
    return fail_in(file.error(), "what came is not a whole model, and is removed");
  }
  if (!file) {
    hooks_.say("it is kept as its source has it, but wisp cannot read it: " + file.error().message);
    return {};
  }
  if (const auto name = file->metadata.text("general.architecture")) {
    model.architecture = printable(*name);
    if (const auto length = file->metadata.unsigned_integer(std::string(*name) + ".context_length"))
      model.context = *length;
  }
  return {};
}

}  // namespace

Result<Pulled> pull_model(const ModelStore& store, const HuggingFace& hub, const ModelName& name,
                          const PullOptions& options, const PullHooks& hooks) {
  if (hub.offline) {
    return fail(Code::io, "{} is not here, and --offline (or HF_HUB_OFFLINE) forbids to fetch it",
                printable(name.canonical(), 400));
  }
  Result<Pulled> pulled = [&] {
    Pull pull(store, hub, name, options, hooks);
    return name.kind == ModelName::Kind::repository ? pull.from_repository() : pull.from_address();
  }();
  if (!pulled) store.remove_empty_folders();
  return pulled;
}

}  // namespace wisp::hub
