#include "hub/model_name.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace wisp::hub {
namespace {

constexpr std::size_t kMostNameBytes = 4096;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// An owner or a repository, by the rules that Hugging Face has for them.
bool is_repository_part(std::string_view part) {
  if (part.empty() || part.size() > 96 || !std::ranges::all_of(part, is_word)) return false;
  if (part.front() == '.' || part.front() == '-' || part.back() == '.' || part.back() == '-') return false;
  return part.find("--") == std::string_view::npos && part.find("..") == std::string_view::npos;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Result<ModelName> parse_repository(std::string_view whole) {
  ModelName name;
  name.kind = ModelName::Kind::repository;
  std::string_view rest = whole;
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    name.selection = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_safe_path(name.selection)) {
      return fail(Code::invalid_argument, "'{}' names neither a file nor a type behind its colon; write {}:Q4_K_M",
                  printable(whole, 200), printable(rest));
    }
  }
  name.revision = kMainRevision;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    name.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_revision(name.revision)) {
      return fail(Code::invalid_argument, "'{}' is not a revision: a branch, a tag or a commit",
                  printable(name.revision));
    }
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || !is_repository_part(rest.substr(0, slash)) ||
      !is_repository_part(rest.substr(slash + 1))) {
    return fail(Code::invalid_argument,
                "'{}' is not a repository; write hf:OWNER/REPO, hf:OWNER/REPO:Q4_K_M or hf:OWNER/REPO@REVISION:FILE",
                printable(whole, 200));
  }
  name.repository = rest;
  return name;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

Result<ModelName> parse_address(std::string_view whole, std::size_t scheme_end) {
  ModelName name;
  name.kind = ModelName::Kind::address;
  const std::string scheme = lower(whole.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") {
    return fail(Code::invalid_argument, "models are fetched by http and https, not by '{}'", printable(scheme));
  }
  const std::string_view shown = whole.substr(0, whole.find_first_of("?#"));
  std::string_view host = shown.substr(scheme_end + 3);
  host = host.substr(0, host.find('/'));
  if (host.find('@') != std::string_view::npos) {
    return fail(Code::invalid_argument, "an address must not hold a user or a password; a token goes into HF_TOKEN");
  }
  if (host.empty() || std::ranges::any_of(whole, [](char c) { return c == ' ' || c == '\\'; })) {
    return fail(Code::invalid_argument, "'{}' is not an address; write https://HOST/PATH/model.gguf",
                printable(shown, 200));
  }
  name.text = scheme + std::string(shown.substr(scheme_end));
  if (const std::size_t question = whole.find('?'); question != std::string_view::npos && question == shown.size()) {
    name.query = whole.substr(question, whole.find('#') - question);
  }
  return name;
}

// "x" of "x/y", which becomes "y"; all of it where there is no slash.
std::string_view take_part(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  return part;
}

// What the address bar of a browser shows on Hugging Face names a repository, or a file in it: the address itself is a
// web page. Nothing for any other address.
std::optional<ModelName> name_of_page(std::string_view address) {
  constexpr std::string_view kScheme = "https://";
  if (!address.starts_with(kScheme)) return std::nullopt;
  std::string_view rest = address.substr(kScheme.size());
  std::string_view host = take_part(rest);
  if (host.starts_with("www.")) host.remove_prefix(4);
  const std::string_view owner = take_part(rest), repository = take_part(rest);
  if ((host != "huggingface.co" && host != "hf.co") || !is_repository_part(owner) || !is_repository_part(repository)) {
    return std::nullopt;
  }
  ModelName name;
  name.kind = ModelName::Kind::repository;
  name.repository = fmt::format("{}/{}", owner, repository);
  name.revision = kMainRevision;
  if (rest.empty()) return name;
  const std::string_view view = take_part(rest);
  name.revision = take_part(rest);
  name.selection = rest;
  const bool is_named = view == "tree" ? rest.empty() : view == "blob" && is_safe_path(rest);
  return is_named && is_revision(name.revision) ? std::optional(std::move(name)) : std::nullopt;
}

}  // namespace

std::string ModelName::canonical() const {
  if (kind != Kind::repository) return text;
  std::string result = "hf:" + repository;
  if (revision != kMainRevision) result += "@" + revision;
  if (!selection.empty()) result += ":" + selection;
  return result;
}

Result<ModelName> parse_model_name(std::string_view text) {
  if (text.empty()) return fail(Code::invalid_argument, "the name of the model is empty");
  if (text.size() > kMostNameBytes) {
    return fail(Code::invalid_argument, "the name of the model has {} bytes, more than {}", text.size(),
                kMostNameBytes);
  }
  const bool is_hub = text.starts_with("hf:");
  const std::size_t scheme_end = text.find("://");
  const bool is_address = !is_hub && scheme_end != std::string_view::npos && scheme_end > 0 &&
                          std::ranges::all_of(text.substr(0, scheme_end), is_word);
  // A path may hold whatever the system lets it.
  if ((is_hub || is_address) && has_control(text)) {
    return fail(Code::invalid_argument, "'{}' holds control characters", printable(text, 200));
  }
  if (is_hub) return parse_repository(text.substr(text.starts_with("hf://") ? 5 : 3));
  if (is_address) {
    WISP_TRY(ModelName name, parse_address(text, scheme_end));
    return name_of_page(name.text).value_or(std::move(name));
  }
  ModelName name;
  name.text = text;
  return name;
}

Result<ModelName> parse_remote_name(std::string_view text) {
  WISP_TRY(ModelName name, parse_model_name(text));
  if (name.kind != ModelName::Kind::local || has_control(text)) return name;
  Result<ModelName> repository = parse_repository(text);
  return repository ? repository : name;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > 1024 || has_control(path) || path.find('\\') != std::string_view::npos)
    return false;
  for (int depth = 0; depth < 8; ++depth) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    // Names next to the file end in at most ".journal.new".
    if (part.empty() || part == "." || part == ".." || part.size() > 230) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
  return false;
}

bool is_revision(std::string_view text) {
  if (text.size() > 200 || !is_safe_path(text)) return false;
  return std::ranges::all_of(text, [](char c) { return is_word(c) || c == '/' || c == '+'; });
}

}  // namespace wisp::hub
