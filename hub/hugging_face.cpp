#include "hub/hugging_face.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace wisp::hub {
namespace {

constexpr int kMostPages = 200;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_set(const char* name) {
  std::string value = variable(name);
  for (char& c : value) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string trimmed(std::string text) {
  constexpr const char* kBlank = " \t\r\n";
  text.erase(0, std::min(text.find_first_not_of(kBlank), text.size()));
  text.erase(text.find_last_not_of(kBlank) + 1);
  return text;
}

std::string token_file() {
  if (const std::string path = variable("HF_TOKEN_PATH"); !path.empty()) return path;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/token";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/huggingface/token";
  return variable("HOME") + "/.cache/huggingface/token";
}

std::string read_token() {
  std::string token = trimmed(variable("HF_TOKEN"));
  if (token.empty()) token = trimmed(variable("HUGGING_FACE_HUB_TOKEN"));
  if (!token.empty() || is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return token;
  std::ifstream file(token_file(), std::ios::binary);
  std::getline(file, token);
  return trimmed(token);
}

// "https://host:port" of an address.
std::string_view origin(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

// The next page is asked of the endpoint, whatever host a mirror's list names: it is the one that may see the token.
std::string at_endpoint(const HuggingFace& hub, const std::string& link) {
  const std::string_view host = origin(link);
  if (host.empty()) return link.starts_with('/') ? std::string(origin(hub.endpoint)) + link : std::string();
  return host == origin(hub.endpoint) ? link : hub.endpoint + link.substr(host.size());
}

}  // namespace

Result<HuggingFace> HuggingFace::from_environment() {
  HuggingFace hub;
  if (std::string endpoint = trimmed(variable("HF_ENDPOINT")); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    const Result<ModelName> name = parse_model_name(endpoint);
    if (!name || name->kind != ModelName::Kind::address || !name->query.empty()) {
      return fail(Code::invalid_argument, "HF_ENDPOINT is not an address such as https://huggingface.co");
    }
    hub.endpoint = name->text;
  }
  hub.token = read_token();
  const bool plain = std::ranges::all_of(hub.token, [](char c) { return c > ' ' && c < 0x7F; });
  if (!plain || hub.token.size() > 4096) {
    return fail(Code::invalid_argument, "the token in HF_TOKEN or its file holds characters that no token has");
  }
  hub.offline = is_set("HF_HUB_OFFLINE");
  return hub;
}

std::string HuggingFace::tree_url(const std::string& repository, const std::string& revision) const {
  return fmt::format("{}/api/models/{}/tree/{}?recursive=true", endpoint, repository, percent_encoded(revision));
}

std::string HuggingFace::file_url(const std::string& repository, const std::string& revision,
                                  const std::string& path) const {
  std::string encoded;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t slash = std::min(path.find('/', start), path.size());
    encoded += "/" + percent_encoded(std::string_view(path).substr(start, slash - start));
    start = slash + 1;
  }
  return fmt::format("{}/{}/resolve/{}{}", endpoint, repository, percent_encoded(revision), encoded);
}

Access HuggingFace::access_to(const std::string& url) const {
  return {.token = origin(url) == origin(endpoint) ? token : std::string()};
}

Result<Listing> list_repository(const HuggingFace& hub, const ModelName& name, const Patience& patience,
                                const std::function<bool()>& keep_going) {
  std::vector<RemoteFile> files;
  std::string url = hub.tree_url(name.repository, name.revision);
  for (int page = 0; page < kMostPages; ++page) {
    Result<Answer> answer = get_document(url, hub.access_to(url), patience, keep_going);
    if (!answer) return fail_in(std::move(answer).error(), "hf:{}", name.repository);
    if (Status added = add_tree_page(answer->body, files); !added) {
      return fail_in(std::move(added).error(), "hf:{}, as {} lists it", name.repository, printable(hub.endpoint, 200));
    }
    if (answer->next.empty()) return group_models(std::move(files));
    std::string next = at_endpoint(hub, answer->next);
    if (next.empty() || next == url) break;
    url = std::move(next);
  }
  return fail(Code::invalid_file, "hf:{}: the list of its files does not end", name.repository);
}

}  // namespace wisp::hub
