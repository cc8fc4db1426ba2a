#include "runtime/speculation/ngram_drafter.h"

#include <algorithm>
#include <bit>

namespace wisp::runtime {
namespace {

constexpr std::size_t kMostSlots = std::size_t{1} << 18;

std::uint64_t hash_of(std::span<const TokenId> run) {
  std::uint64_t hash = run.size();
  for (const TokenId token : run) {
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

NgramDrafter::NgramDrafter(std::size_t tokens)
    : slots_(std::min(std::bit_ceil(2 * kLengths.size() * std::max<std::size_t>(tokens, 16)), kMostSlots)),
      most_(slots_.size() / (2 * kLengths.size())) {}

void NgramDrafter::learn(std::span<const TokenId> text) {
  const std::size_t end = std::min(text.size(), most_);
  if (learned_ > end || (learned_ > 0 && text[learned_ - 1] != last_learned_)) {
    std::ranges::fill(slots_, Slot());
    learned_ = 0;
  }
  for (std::size_t at = learned_ + 1; at <= end; ++at) {
    for (const std::uint32_t length : kLengths) {
      if (at < length) continue;
      const std::uint64_t hash = hash_of(text.subspan(at - length, length));
      Slot& place = slot(hash);
      if (place.hash != hash) place = {hash, 0, 0};
      place.before = place.last;
      place.last = static_cast<std::uint32_t>(at);
    }
  }
  learned_ = end;
  if (end > 0) last_learned_ = text[end - 1];
}

void NgramDrafter::propose(std::span<const TokenId> text, std::uint32_t most, std::vector<TokenId>& out) {
  out.clear();
  learn(text);
  for (const std::uint32_t length : kLengths) {
    if (text.size() <= length) continue;
    const std::span<const TokenId> run = text.last(length);
    const std::uint64_t hash = hash_of(run);
    const Slot& place = slot(hash);
    if (place.hash != hash) continue;
    const std::size_t end = place.last == text.size() ? place.before : place.last;
    // Two runs may have one hash.
    if (end < length || end >= text.size() || !std::ranges::equal(text.subspan(end - length, length), run)) continue;
    for (std::size_t at = end; at < text.size() && out.size() < most; ++at) out.push_back(text[at]);
    return;
  }
}

}  // namespace wisp::runtime
