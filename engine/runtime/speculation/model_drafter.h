// Guesses by a smaller model of the same vocabulary, in an engine of its own: what it would say greedily. It keeps what
// it has read in its prefix index, so that a guess costs it the tokens since the last full block and those that it
// makes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace wisp::runtime {

class Engine;

class ModelDrafter {
 public:
  // Code::invalid_argument where the vocabularies differ: of another size, or in a token (both engines have
  // tokenizers). Code::unsupported where the draft's backend cannot be waited for.
  static Result<std::unique_ptr<ModelDrafter>> create(std::unique_ptr<Engine> draft, const Engine& target);
  ~ModelDrafter();

  // Up to `most` tokens that may follow `text`, into `out`; none where the draft's context is too short, or it fails.
  void propose(std::span<const TokenId> text, std::uint32_t most, std::vector<TokenId>& out);

 private:
  explicit ModelDrafter(std::unique_ptr<Engine> draft);
  std::unique_ptr<Engine> draft_;
};

}  // namespace wisp::runtime
