// Models that were fetched, in one folder of the user's cache: readable by its owner only, a folder for each source, an
// index file for each model. The index is written last and holds the sizes, so what was broken off is never taken for a
// model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "hub/model_name.h"

namespace wisp::hub {

struct StoredFile {
  std::string path;  // in the source's folder
  std::uint64_t size = 0;
  std::string sha256;
  std::string etag;
};

struct StoredModel {
  std::string repository, revision;  // "" for an address
  std::string address;               // without its query; "" for a repository
  std::string commit;                // "" where it is not known
  std::string stem;                  // of the files
  std::string type;
  std::string architecture;
  std::uint64_t context = 0;  // that it was trained for; 0 where the file does not tell
  std::vector<StoredFile> files;
  std::int64_t pulled = 0;  // seconds since 1970
  std::int64_t last_used = 0;
  bool automatic = false;  // its type was chosen for this machine, not named
  std::string folder;      // where it lies; not in the index

  [[nodiscard]] std::uint64_t bytes() const;
  // What to give to `wisp run`: the first part.
  [[nodiscard]] std::string path() const { return folder + "/" + files.front().path; }
  // "hf:OWNER/REPO:FILE", or the address.
  [[nodiscard]] std::string canonical() const;
  // "Qwen3-0.6B-Q4_K_M": the last part of the stem.
  [[nodiscard]] std::string short_name() const;
};

// What a broken-off download left: bytes of a file, or a whole part of a model that has others.
struct StoredPart {
  std::string path;    // of the file that it would be
  std::string source;  // "" where it is not known
  std::uint64_t done = 0, size = 0;
};

class ModelStore {
 public:
  // `folder` need not be there. Empty: everything fails with a sentence that says how to name one.
  explicit ModelStore(std::string folder) : folder_(std::move(folder)) {}

  // The folder of a source, made where it is not there, and that of `path` in it.
  Result<std::string> make_folder(const ModelName& name, std::string_view path) const;
  // Models whose files are all there, in the order of their names.
  [[nodiscard]] std::vector<StoredModel> list() const;
  [[nodiscard]] std::vector<StoredPart> parts() const;
  // What a name means among those: a repository with its selection (without one: that which was chosen for this
  // machine, else the one used last), an address, a short name in any case. Code::invalid_argument where it fits
  // several.
  [[nodiscard]] Result<std::optional<StoredModel>> find(const ModelName& name) const;

  Status remember(const StoredModel& model) const;
  void forget(const StoredModel& model) const;  // its index only: while its files are replaced
  void touch(const StoredModel& model) const;   // it was used now
  // Files, index, what was begun beside them, and folders that are empty then. Code::limit while another wisp fetches
  // it.
  Status remove(const StoredModel& model) const;
  Status remove(const StoredPart& part) const;
  void remove_empty_folders() const;

  // One lock for all parts of a split model.
  [[nodiscard]] static std::string lock_path(std::string file);

 private:
  [[nodiscard]] std::string source_folder(const ModelName& name) const;
  std::string folder_;
};

}  // namespace wisp::hub
