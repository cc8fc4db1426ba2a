// From a name to a model in the store: asks what there is, has a type chosen, fetches what is missing, checks it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gguf/reader.h"
#include "hub/hugging_face.h"
#include "hub/listing.h"
#include "hub/model_store.h"

namespace wisp::hub {

// Reads the header of a model that is not here yet, fetching no more of it than that. What came is kept for the case
// that this model is chosen.
using ReadHeader = std::function<Result<gguf::File>(const RemoteModel& model)>;

struct Choice {
  const RemoteModel* model = nullptr;
  std::string why;  // a sentence for the user
};
// Which of several types this machine should have.
using Choose = std::function<Result<Choice>(const Listing& listing, const ReadHeader& read_header)>;

struct PullHooks {
  Choose choose;
  // Called at least ten times a second; false stops. `what` is "fetching" or "checking".
  std::function<bool(std::string_view what, std::uint64_t done, std::uint64_t total)> progress;
  std::function<void(std::string_view)> say;
};

struct PullOptions {
  std::string sha256;  // that an address must have; "": whatever it has
  int connections = 4;
  Patience patience;
};

struct Pulled {
  StoredModel model;
  std::string why;             // why this type; "" where it was named
  bool was_here = false;       // nothing had to be fetched
  std::uint64_t received = 0;  // bytes over the network, without lists
  std::uint64_t resumed = 0;   // bytes that an earlier run had fetched
  bool verified = false;       // every file against a SHA-256 that was known before
};

// `name` is a repository or an address. Code::io where HuggingFace::offline forbids it; else as in download.h.
Result<Pulled> pull_model(const ModelStore& store, const HuggingFace& hub, const ModelName& name,
                          const PullOptions& options, const PullHooks& hooks);

}  // namespace wisp::hub
