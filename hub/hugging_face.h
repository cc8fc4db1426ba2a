// Hugging Face, or what HF_ENDPOINT names in its place: where its lists and files are, and who may see the token.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "hub/http.h"
#include "hub/listing.h"
#include "hub/model_name.h"

namespace wisp::hub {

struct HuggingFace {
  std::string endpoint = "https://huggingface.co";  // without a slash at its end
  std::string token;
  bool offline = false;

  // HF_ENDPOINT; HF_TOKEN, else the file that HF_TOKEN_PATH names, $HF_HOME/token or ~/.cache/huggingface/token (none
  // where HF_HUB_DISABLE_IMPLICIT_TOKEN is set); HF_HUB_OFFLINE. Messages never hold the token.
  static Result<HuggingFace> from_environment();

  [[nodiscard]] std::string tree_url(const std::string& repository, const std::string& revision) const;
  [[nodiscard]] std::string file_url(const std::string& repository, const std::string& revision,
                                     const std::string& path) const;
  // The token for addresses at the endpoint, nothing for all others.
  [[nodiscard]] Access access_to(const std::string& url) const;
};

// All pages of what a repository lists.
Result<Listing> list_repository(const HuggingFace& hub, const ModelName& name, const Patience& patience,
                                const std::function<bool()>& keep_going);

}  // namespace wisp::hub
