// Sequences to and from the world outside (saved_sequence.h).
#include <algorithm>

#include "base/hash64.h"
#include "base/log.h"
#include "graph/kv_block.h"
#include "runtime/engine_state.h"
#include "runtime/kv_setup.h"

namespace wisp::runtime {
namespace {

// Of each tensor so many bytes are looked at, so that another training of the same model is another model.
constexpr std::uint64_t kSample = 64;

Result<std::uint64_t> hash_of(const gguf::File& file, int source, std::uint64_t offset, std::uint64_t bytes,
                              std::uint64_t seed) {
  std::vector<std::byte> content(static_cast<std::size_t>(bytes));
  WISP_CHECK(file.sources[static_cast<std::size_t>(source)]->read(offset, content));
  return hash64(content, seed);
}

Result<std::uint64_t> fingerprint(const gguf::File& file) {
  WISP_TRY(std::uint64_t hash, hash_of(file, 0, 0, file.header_bytes, 0));
  for (const gguf::TensorInfo& tensor : file.tensors) {
    WISP_TRY(hash, hash_of(file, tensor.split, tensor.offset, std::min(tensor.bytes, kSample), hash));
  }
  return hash;
}

}  // namespace

Result<std::uint64_t> Engine::State::model_hash() {
  if (!model_hash_) {
    Result<std::uint64_t> hash = fingerprint(file);
    if (!hash) return fail_in(hash.error(), "the model's file is needed to tell it from others");
    model_hash_ = *hash;
  }
  return *model_hash_;
}

// ---- saving ----

Result<SavedSequence> Engine::State::save(const Sequence& sequence) {
  SavedSequence saved;
  WISP_TRY(saved.model, model_hash());
  saved.settings = cache_salt(*graph, options.kv_type, 0);
  saved.tokens = sequence.tokens;
  saved.sampler = sequence.sampler_state;
  if (!sequence.kv || sequence.computed == 0 || !executor->moves_kv()) return saved;
  saved.n_positions = sequence.computed;
  const std::uint32_t in_last = (saved.n_positions - 1) % kv::kBlockPositions + 1;
  for (const kv::LayerGroup& layers : kv.groups()) {
    SavedSequence::Group& group = saved.groups.emplace_back();
    group.block_bytes = graph::kv_canonical_bytes(graph->kv, options.kv_type, layers.index);
    const std::span<const kv::BlockId> table = kv.block_table(*sequence.kv, static_cast<std::uint32_t>(layers.index));
    const std::uint32_t n_blocks = kv::blocks_for(saved.n_positions);
    for (std::uint32_t i = 0; i < n_blocks; ++i) {
      if (table[i] == kv::kNoBlock) continue;
      group.indices.push_back(i);
      const std::size_t begin = group.bytes.size();
      group.bytes.resize(begin + static_cast<std::size_t>(group.block_bytes));
      WISP_CHECK(executor->read_kv(layers.index, table[i], i + 1 == n_blocks ? in_last : kv::kBlockPositions,
                                   std::span(group.bytes).subspan(begin)));
    }
  }
  return saved;
}

Result<SavedSequence> Engine::State::save(RequestId id) {
  if (mid_step()) return fail(Code::invalid_argument, "a request can be saved between steps only");
  const Sequence* const sequence = find(id);
  if (sequence == nullptr) {
    return fail(Code::not_found, "no request {} is running or waiting", static_cast<std::uint64_t>(id));
  }
  return save(*sequence);
}

std::shared_ptr<const SavedSequence> Engine::State::save_at_end(const Sequence& sequence) {
  Result<SavedSequence> saved = save(sequence);
  if (saved) return std::make_shared<const SavedSequence>(std::move(*saved));
  log_warning("the sequence is not saved: {}", saved.error().message);
  return nullptr;
}

// ---- going on ----

Status Engine::State::check_saved(const SavedSequence& saved, std::span<const TokenId> prompt) {
  WISP_TRY(const std::uint64_t here, model_hash());
  if (saved.model != here) {
    return fail(Code::invalid_argument,
                "the saved sequence belongs to another model (its hash is {:016x}, here {:016x})", saved.model, here);
  }
  if (saved.tokens.size() > prompt.size() || !std::ranges::equal(saved.tokens, prompt.first(saved.tokens.size()))) {
    return fail(Code::invalid_argument, "the prompt does not begin with the {} tokens of the saved sequence",
                saved.tokens.size());
  }
  if (saved.n_positions == 0 || saved.settings != cache_salt(*graph, options.kv_type, 0)) return {};
  if (saved.groups.size() != kv.groups().size()) {
    return fail(Code::invalid_file, "the saved sequence has {} groups of layers, the model {}", saved.groups.size(),
                kv.groups().size());
  }
  for (const kv::LayerGroup& layers : kv.groups()) {
    const auto g = static_cast<std::size_t>(layers.index);
    const std::uint64_t expected = graph::kv_canonical_bytes(graph->kv, options.kv_type, layers.index);
    if (saved.groups[g].block_bytes != expected) {
      return fail(Code::invalid_file, "the saved sequence has blocks of {} bytes for group {}, the model of {}",
                  saved.groups[g].block_bytes, g, expected);
    }
    const std::uint32_t visible = kv::first_visible_block(layers, saved.n_positions);
    for (std::uint32_t i = 0; i < kv::blocks_for(saved.n_positions); ++i) {
      const bool needed = i >= visible || i < kv::sink_blocks(layers);
      if (needed && saved.block(g, i).empty()) {
        return fail(Code::invalid_file, "the saved sequence lacks block {} of group {}, which its next token sees", i,
                    g);
      }
    }
  }
  return {};
}

// Whether keys and values come from what was saved. The last token is always computed, and so are those whose logits
// are wanted.
bool Engine::State::takes_saved(const Sequence& sequence) const {
  const SavedSequence* const saved = sequence.request.state.get();
  return saved != nullptr && saved->n_positions > 0 && executor->moves_kv() &&
         saved->settings == cache_salt(*graph, options.kv_type, 0) && saved->n_positions < sequence.adoptable().size();
}

// Nobody else may find what a file says in the prefix index: it has a salt of its own.
std::uint64_t Engine::State::salt_of(const Sequence& sequence) const {
  const std::uint64_t salt = cache_salt(*graph, options.kv_type, sequence.request.salt);
  return takes_saved(sequence) ? hash64(std::as_bytes(std::span(&salt, 1)), sequence.saved_hash) : salt;
}

// Behind `cached` positions, whole blocks, that the sequence has already. False: there is too little memory now.
bool Engine::State::restore(Sequence& sequence, std::uint32_t cached) {
  const SavedSequence& saved = *sequence.request.state;
  const kv::SequenceId id = *sequence.kv;
  // As steps would go, so that windows let go of blocks on the way.
  for (std::uint32_t at = cached; at < saved.n_positions;) {
    const std::uint32_t rows = std::min(options.row_budget, saved.n_positions - at);
    if (!kv.drop_out_of_window(id, at) || !kv.extend(id, rows)) return false;
    at += rows;
  }
  if (!kv.drop_out_of_window(id, saved.n_positions)) return false;
  for (const kv::LayerGroup& layers : kv.groups()) {
    const std::span<const kv::BlockId> table = kv.block_table(id, static_cast<std::uint32_t>(layers.index));
    for (std::uint32_t i = cached / kv::kBlockPositions; i < table.size(); ++i) {
      if (table[i] == kv::kNoBlock) continue;
      const std::span<const std::byte> bytes = saved.block(static_cast<std::size_t>(layers.index), i);
      if (!executor->write_kv(layers.index, table[i], bytes)) return false;
    }
  }
  sequence.start_at(saved.n_positions);
  return true;
}

}  // namespace wisp::runtime
