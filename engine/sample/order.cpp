#include "sample/order.h"

#include <algorithm>
#include <string>
#include <utility>

namespace wisp::sample {
namespace {

// The first name of a kind is the one that is shown.
constexpr std::array<std::pair<std::string_view, SamplerKind>, 11> kNames = {{
    {"penalties", SamplerKind::penalties},
    {"dry", SamplerKind::dry},
    {"top_n_sigma", SamplerKind::top_n_sigma},
    {"top_k", SamplerKind::top_k},
    {"typ_p", SamplerKind::typical_p},
    {"top_p", SamplerKind::top_p},
    {"min_p", SamplerKind::min_p},
    {"xtc", SamplerKind::xtc},
    {"temperature", SamplerKind::temperature},
    {"typical_p", SamplerKind::typical_p},
    {"temp", SamplerKind::temperature},
}};

std::string known_names() {
  std::string names;
  for (const SamplerKind kind : kUsualOrder) {
    if (!names.empty()) names += ", ";
    names += sampler_name(kind);
  }
  return names;
}

}  // namespace

std::string_view sampler_name(SamplerKind kind) {
  for (const auto& [name, named] : kNames) {
    if (named == kind) return name;
  }
  return "?";
}

Result<std::vector<SamplerKind>> parse_sampler_order(std::string_view text) {
  std::vector<SamplerKind> order;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    std::string name(text.substr(0, std::min<std::size_t>(end, 32)));  // long enough for any name, and for a message
    std::ranges::replace(name, '-', '_');
    const auto found = std::ranges::find(kNames, std::string_view(name), [](const auto& known) { return known.first; });
    if (found == kNames.end()) {
      return fail(Code::invalid_argument, "'{}' is no sampler; there are {}", printable(name), known_names());
    }
    if (std::ranges::find(order, found->second) != order.end()) {
      return fail(Code::invalid_argument, "'{}' is there twice", name);
    }
    order.push_back(found->second);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return order;
}

}  // namespace wisp::sample
