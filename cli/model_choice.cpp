#include "model_choice.h"

#include <optional>
#include <vector>

#include "load_model.h"
#include "memory_estimate.h"

namespace wisp::cli {
namespace {

// What is known of one model that carries over to the other types of it.
struct Known {
  std::uint64_t file_bytes = 0;
  MemoryEstimate estimate;
};

// Before any header is known: never less than the weights take, and some for keys and values.
std::uint64_t guess(std::uint64_t file_bytes) { return file_bytes + file_bytes / 10; }

std::uint64_t needs(const hub::RemoteModel& model, const std::optional<Known>& known) {
  if (!known) return guess(model.bytes());
  const MemoryEstimate& estimate = known->estimate;
  // In the ratio of their files.
  const double weights = static_cast<double>(estimate.weights) * static_cast<double>(model.bytes()) /
                         static_cast<double>(known->file_bytes);
  return static_cast<std::uint64_t>(weights) + estimate.total() - estimate.weights;
}

std::string name_of(const hub::RemoteModel& model) { return printable(model.type.empty() ? model.stem : model.type); }

std::string with_context(const std::optional<Known>& known) {
  return known ? fmt::format(" with a context of {}", known->estimate.context) : std::string();
}

}  // namespace

Result<hub::Choice> choose_for_memory(const hub::Listing& listing, std::uint64_t memory,
                                      const hub::ReadHeader& read_header) {
  const std::uint64_t granted = memory - memory / 10;
  std::vector<const hub::RemoteModel*> models;  // largest first
  for (const hub::RemoteModel& model : listing.models) {
    if (model.complete()) models.push_back(&model);
  }
  if (models.empty()) return fail(Code::not_found, "of every model in the repository parts are missing");

  std::optional<Known> known;
  const hub::RemoteModel* too_large = nullptr;  // the smallest of these
  const hub::RemoteModel* unreadable = nullptr;
  std::string unread;
  for (const hub::RemoteModel* model : models) {
    if (needs(*model, known) > granted) {
      too_large = model;
      continue;
    }
    // The header of a part shows a part of the tensors; it is reckoned by size.
    if (model->parts == 1) {
      Result<gguf::File> header = read_header(*model);
      Result<MemoryEstimate> estimate =
          header ? estimate_memory(*header, {}, one_sequence()) : std::unexpected(header.error());
      if (estimate) {
        known = Known{.file_bytes = model->bytes(), .estimate = *estimate};
      } else if (estimate.error().code == Code::unsupported) {
        unreadable = model;
        unread = estimate.error().message;
        continue;
      } else if (!header && estimate.error().code != Code::invalid_file) {
        return std::unexpected(std::move(estimate).error());
      }
      if (needs(*model, known) > granted) {
        too_large = model;
        continue;
      }
    }
    std::string why = fmt::format("{} ({}): {}leaves a tenth of {} free; it takes {}{}", name_of(*model),
                                  format_bytes(model->bytes()),
                                  models.size() == 1 ? std::string("the only one, and it ")
                                                     : fmt::format("the largest of {} that ", models.size()),
                                  format_bytes(memory), format_bytes(needs(*model, known)), with_context(known));
    if (too_large != nullptr) {
      why += fmt::format(", {} would take {}", name_of(*too_large), format_bytes(needs(*too_large, known)));
    }
    return hub::Choice{model, std::move(why)};
  }
  if (too_large == nullptr && unreadable != nullptr) {
    return fail(Code::unsupported, "wisp can run none of {}: {}", hub::describe_models(listing), unread);
  }
  return fail(Code::out_of_memory,
              "none of {} leaves a tenth of {} free; the smallest, {}, would take {}{}. A type behind the name "
              "(:{}) fetches it all the same",
              hub::describe_models(listing), format_bytes(memory), name_of(*models.back()),
              format_bytes(needs(*models.back(), known)), with_context(known), name_of(*models.back()));
}

}  // namespace wisp::cli
