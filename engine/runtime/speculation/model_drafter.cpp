#include "runtime/speculation/model_drafter.h"

#include <algorithm>
#include <utility>

#include "runtime/engine.h"

namespace wisp::runtime {
namespace {

Status compare(const text::Tokenizer& draft, const text::Tokenizer& target, std::uint32_t n) {
  const std::size_t known =
      std::min({draft.vocabulary().tokens.size(), target.vocabulary().tokens.size(), std::size_t{n}});
  for (std::size_t id = 0; id < known; ++id) {
    if (draft.vocabulary().tokens[id] == target.vocabulary().tokens[id]) continue;
    return fail(Code::invalid_argument,
                "the draft model's token {} is another than the model's: they cannot guess for each other", id);
  }
  return {};
}

}  // namespace

ModelDrafter::ModelDrafter(std::unique_ptr<Engine> draft) : draft_(std::move(draft)) {}
ModelDrafter::~ModelDrafter() = default;

Result<std::unique_ptr<ModelDrafter>> ModelDrafter::create(std::unique_ptr<Engine> draft, const Engine& target) {
  if (draft->vocabulary() != target.vocabulary()) {
    return fail(Code::invalid_argument,
                "the draft model knows {} tokens and the model {}: they need the same vocabulary", draft->vocabulary(),
                target.vocabulary());
  }
  if (draft->options().output != graph::Output::logits) {
    return fail(Code::invalid_argument, "the draft engine gives embeddings and cannot guess tokens");
  }
  const text::Tokenizer* own = draft->options().tokenizer;
  const text::Tokenizer* other = target.options().tokenizer;
  if (own != nullptr && other != nullptr) WISP_CHECK(compare(*own, *other, target.vocabulary()));
  if (const Status waits = draft->run(); !waits) return fail(Code::unsupported, "{}", waits.error().message);
  return std::unique_ptr<ModelDrafter>(new ModelDrafter(std::move(draft)));
}

void ModelDrafter::propose(std::span<const TokenId> text, std::uint32_t most, std::vector<TokenId>& out) {
  out.clear();
  if (text.size() + most > draft_->max_positions()) return;
  Request request{.prompt = {text.begin(), text.end()}, .max_new_tokens = most};
  request.sampling.temperature = 0.0f;
  request.on_token = [&out](const TokenEvent& event) { out.push_back(event.token); };
  if (!draft_->submit(std::move(request)) || !draft_->run()) out.clear();
}

}  // namespace wisp::runtime
