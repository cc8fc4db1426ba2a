// A sequence outside its engine: its tokens, and keys and values of as many positions as there are. As bytes it is a
// file (docs/saved-sequences.md), which is never trusted: reading checks every count against what is there, and an
// engine checks the rest before it takes one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "sample/mirostat.h"

namespace wisp::runtime {

// A file begins with it.
inline constexpr std::string_view kSavedMagic = "wispseq1";

struct SavedSequence {
  // Of one layer group: the blocks that were held, by their index in the sequence, ascending; their bytes in the form
  // of graph/kv_block.h, one after another.
  struct Group {
    std::uint64_t block_bytes = 0;
    std::vector<std::uint32_t> indices = {};
    std::vector<std::byte> bytes = {};
    bool operator==(const Group&) const = default;
  };

  std::uint64_t model = 0;     // model_fingerprint() of the file that it belongs to
  std::uint64_t settings = 0;  // a hash of what else decides keys and values: their type, windows, RoPE
  std::vector<TokenId> tokens = {};
  sample::SamplerState sampler = {};  // behind the last token
  std::uint32_t n_positions = 0;      // of the tokens so many have keys and values, from the first on
  std::vector<Group> groups = {};

  // Whether it agrees with itself, wherever it comes from: counts, places and sizes. Code::invalid_file says what does
  // not. What only a model can tell (its vocabulary, the size of its blocks) is not looked at.
  [[nodiscard]] Status check() const;
  // Code::invalid_argument, where it belongs to another model than the one with this fingerprint.
  [[nodiscard]] Status check_model(std::uint64_t fingerprint) const;
  // Of block `index`; empty where it is not there.
  [[nodiscard]] std::span<const std::byte> block(std::size_t group, std::uint32_t index) const;

  bool operator==(const SavedSequence&) const = default;
};

// The bytes of its file. Fails where check() does, and without the memory.
Result<std::vector<std::byte>> write_saved(const SavedSequence& saved);
// Code::invalid_file names what is wrong and where. What it gives passes check().
Result<SavedSequence> read_saved(std::span<const std::byte> bytes);

}  // namespace wisp::runtime
