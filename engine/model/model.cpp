#include "model/model.h"

#include <algorithm>
#include <utility>

#include "model/architectures.h"
#include "model/graph_builder.h"
#include "model/hyperparameters.h"

namespace wisp::model {
namespace {

Result<const Architecture*> find_architecture(const gguf::Metadata& metadata) {
  WISP_TRY(const std::string_view name, metadata.text("general.architecture"));
  const std::span<const Architecture> known = architectures();
  const auto found = std::ranges::find(known, name, &Architecture::name);
  if (found != known.end()) return &*found;
  std::string names;
  for (const Architecture& a : known) names.append(names.empty() ? "" : ", ").append(a.name);
  return fail(Code::unsupported, "architecture '{}' is not supported; known are {}", printable(name), names);
}

Status check_options(const ContextOptions& options) {
  if (options.context > kMaxPositions) {
    return fail(Code::invalid_argument, "a context of {} positions is beyond {}", options.context, kMaxPositions);
  }
  if (options.window && (*options.window == 0 || *options.window > kMaxPositions)) {
    return fail(Code::invalid_argument, "a window of {} positions makes no sense; give 1 to {}", *options.window,
                kMaxPositions);
  }
  if (options.sinks > kMaxPositions) {
    return fail(Code::invalid_argument, "{} sinks make no sense; give at most {}", options.sinks, kMaxPositions);
  }
  if (options.sinks != 0 && !options.window) {
    return fail(Code::invalid_argument,
                "sinks are the positions that stay visible outside a window; give a window too");
  }
  return {};
}

}  // namespace

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : architectures()) names.push_back(architecture.name);
  return names;
}

Status check_architecture(const gguf::Metadata& metadata) {
  WISP_TRY([[maybe_unused]] const Architecture* const known, find_architecture(metadata));
  return {};
}

Result<Model> Model::from_file(const gguf::File& file, const ContextOptions& options) {
  WISP_CHECK(check_options(options));
  WISP_TRY(const Architecture* const architecture, find_architecture(file.metadata));
  Model model;
  WISP_TRY(model.hyper_, read_hyperparameters(file));
  model.context_ = options.context != 0 ? options.context : std::min(model.hyper_.trained_context, kDefaultContext);

  GraphBuilder builder(file, model.hyper_, options, model.context_);
  architecture->build(builder);
  WISP_TRY(model.graph_, builder.finish());
  for (const graph::Weight& weight : model.graph_.weights) {
    model.parameters_ += std::uint64_t{weight.rows} * weight.columns;
  }
  return model;
}

}  // namespace wisp::model
