// Sequences to and from the world outside (saved_sequence.h).
#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/room.h"
#include "graph/kv_block.h"
#include "runtime/engine_state.h"
#include "runtime/kv_setup.h"
#include "runtime/model_fingerprint.h"

namespace wisp::runtime {
namespace {

std::uint64_t bytes_of(const SavedSequence& saved) {
  std::uint64_t bytes = saved.tokens.size() * sizeof(TokenId);
  for (const SavedSequence::Group& group : saved.groups) bytes += group.bytes.size();
  return bytes;
}

// The first block of `layers` that is not there, of those that a query at position `n` sees; nothing: all are.
std::optional<std::uint32_t> missing_block(const SavedSequence& saved, const kv::LayerGroup& layers, std::uint32_t n) {
  const std::uint32_t visible = kv::first_visible_block(layers, n);
  for (std::uint32_t i = 0; i < kv::blocks_for(n); ++i) {
    const bool needed = i >= visible || i < kv::sink_blocks(layers);
    if (needed && saved.block(static_cast<std::size_t>(layers.index), i).empty()) return i;
  }
  return std::nullopt;
}

}  // namespace

Result<std::uint64_t> Engine::State::fingerprint() {
  if (!fingerprint_) {
    Result<std::uint64_t> found = model_fingerprint(file);
    if (!found) return fail_in(found.error(), "the model's file is needed to tell it from others");
    fingerprint_ = *found;
  }
  return *fingerprint_;
}

// ---- saving ----

Result<SavedSequence> Engine::State::save(const Sequence& sequence) {
  SavedSequence saved;
  WISP_TRY(saved.model, fingerprint());
  saved.settings = cache_salt(*graph, options.kv_type, 0);
  saved.sampler = sequence.sampler_state;
  if (sequence.kv && sequence.computed > 0 && executor->moves_kv()) {
    WISP_CHECK(read_computed(sequence, saved));
  } else if (const SavedSequence* const brought = sequence.request.state.get(); brought != nullptr) {
    // Nothing better has come of what it brought along.
    WISP_CHECK(check_room(bytes_of(*brought), "the saved sequence"));
    saved.settings = brought->settings;
    saved.n_positions = brought->n_positions;
    saved.groups = brought->groups;
  }
  saved.tokens = sequence.tokens;
  return saved;
}

Status Engine::State::read_computed(const Sequence& sequence, SavedSequence& saved) {
  saved.n_positions = sequence.computed;
  const std::uint32_t n_blocks = kv::blocks_for(saved.n_positions);
  const std::uint32_t in_last = (saved.n_positions - 1) % kv::kBlockPositions + 1;
  for (const kv::LayerGroup& layers : kv.groups()) {
    SavedSequence::Group& group = saved.groups.emplace_back();
    group.block_bytes = graph::kv_canonical_bytes(graph->kv, options.kv_type, layers.index);
    const std::span<const kv::BlockId> table =
        kv.block_table(*sequence.kv, static_cast<std::uint32_t>(layers.index)).first(n_blocks);
    for (std::uint32_t i = 0; i < n_blocks; ++i) {
      if (table[i] != kv::kNoBlock) group.indices.push_back(i);
    }
    // At most what the pool holds, which is in memory.
    const auto size = static_cast<std::size_t>(group.block_bytes);
    WISP_CHECK(check_room(group.block_bytes * group.indices.size(), "the saved sequence"));
    group.bytes.resize(size * group.indices.size());
    for (std::size_t at = 0; at < group.indices.size(); ++at) {
      const std::uint32_t i = group.indices[at];
      WISP_CHECK(executor->read_kv(layers.index, table[i], i + 1 == n_blocks ? in_last : kv::kBlockPositions,
                                   std::span(group.bytes).subspan(at * size, size)));
    }
  }
  return {};
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
  WISP_CHECK(saved.check());
  WISP_TRY(const std::uint64_t here, fingerprint());
  WISP_CHECK(saved.check_model(here));
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
    if (const std::optional<std::uint32_t> missing = missing_block(saved, layers, saved.n_positions)) {
      return fail(Code::invalid_file, "the saved sequence lacks block {} of group {}, which its next token sees",
                  *missing, g);
    }
  }
  return {};
}

// The last token is always computed, and so are those whose logits are wanted; a window may have let go of what they
// see.
std::uint32_t Engine::State::restorable(const Sequence& sequence) const {
  const SavedSequence* const saved = sequence.request.state.get();
  if (saved == nullptr || !executor->moves_kv() || saved->settings != cache_salt(*graph, options.kv_type, 0)) return 0;
  const auto most = static_cast<std::uint32_t>(sequence.adoptable().size() - 1);
  if (saved->n_positions <= most) return saved->n_positions;  // check_saved() has seen to it
  for (const kv::LayerGroup& layers : kv.groups()) {
    if (missing_block(*saved, layers, most)) return 0;
  }
  return most;
}

std::uint64_t Engine::State::origin_of(const std::shared_ptr<const SavedSequence>& state) {
  std::erase_if(known_states_, [](const KnownState& known) { return known.state.expired(); });
  for (const KnownState& known : known_states_) {
    if (known.state.lock() == state) return known.origin;
  }
  known_states_.push_back({state, ++last_origin_});
  return last_origin_;
}

// Nobody else may find what a file says in the prefix index.
kv::Salt Engine::State::salt_of(const Sequence& sequence) const {
  return {cache_salt(*graph, options.kv_type, sequence.request.salt),
          restorable(sequence) > 0 ? sequence.state_origin : 0};
}

// The first `n` positions, of which the sequence has `cached` already, in whole blocks. False: there is too little
// memory now.
bool Engine::State::restore(Sequence& sequence, std::uint32_t cached, std::uint32_t n) {
  const SavedSequence& saved = *sequence.request.state;
  const kv::SequenceId id = *sequence.kv;
  // As steps would go, so that windows let go of blocks on the way.
  for (std::uint32_t at = cached; at < n;) {
    const std::uint32_t rows = std::min(options.row_budget, n - at);
    if (!kv.drop_out_of_window(id, at) || !kv.extend(id, rows)) return false;
    at += rows;
  }
  if (!kv.drop_out_of_window(id, n)) return false;
  for (const kv::LayerGroup& layers : kv.groups()) {
    const std::span<const kv::BlockId> table = kv.block_table(id, static_cast<std::uint32_t>(layers.index));
    for (std::uint32_t i = cached / kv::kBlockPositions; i < table.size(); ++i) {
      if (table[i] == kv::kNoBlock) continue;
      const std::span<const std::byte> bytes = saved.block(static_cast<std::size_t>(layers.index), i);
      if (!executor->write_kv(layers.index, table[i], bytes)) return false;
    }
  }
  sequence.start_at(n);
  return true;
}

}  // namespace wisp::runtime
