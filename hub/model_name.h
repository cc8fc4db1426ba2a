// What a model is called: a file, a place on Hugging Face, an address, or the short name that `wisp models` shows.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wisp::hub {

struct ModelName {
  enum class Kind : std::uint8_t {
    repository,  // hf:OWNER/REPO[@REVISION][:FILE or TYPE], or its page: https://huggingface.co/OWNER/REPO[/blob/...]
    address,     // http://... or https://...
    local,       // anything else: a path, or a short name
  };
  Kind kind = Kind::local;
  std::string repository;  // "OWNER/REPO"
  std::string revision;    // "main" where none was named
  std::string selection;   // a file in the repository, or a type ("Q4_K_M"); "" where none was named
  std::string text;        // of an address without query and fragment; of a local name as it was given
  std::string query;       // of an address, with its '?': it may hold a signature, so it is neither printed nor stored

  // The name that finds the same again: "hf:OWNER/REPO@REVISION:SELECTION", the address without its query.
  [[nodiscard]] std::string canonical() const;
};

inline constexpr std::string_view kMainRevision = "main";

// Total: every text is a name or a clear Code::invalid_argument. Nothing is looked up.
Result<ModelName> parse_model_name(std::string_view text);
// The same, but OWNER/REPO[@REVISION][:FILE or TYPE] without its "hf:" is taken as a repository too.
Result<ModelName> parse_remote_name(std::string_view text);

// "a/b/model.gguf" as a repository may name it: no empty part, no "." or "..", no control character, no backslash, of
// bounded length and depth. Whatever passes stays below the folder that it is joined to.
bool is_safe_path(std::string_view path);
// A branch, tag, commit, or "refs/pr/1".
bool is_revision(std::string_view text);

}  // namespace wisp::hub
