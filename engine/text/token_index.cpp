#include "text/token_index.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace wisp::text {
namespace {

// Multiply and fold, eight bytes at a time; the last bytes come as one (overlapping) word. Good enough to spread words,
// and a handful of instructions for the short ones. 2^64 / golden ratio.
constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15u;

std::uint64_t fold(std::uint64_t value) {
  value *= kFactor;
  return value ^ (value >> 32);
}

std::uint64_t load(const char* from, std::size_t bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, bytes);
  return word;
}

std::uint32_t hash_of(std::string_view text) {
  const char* const data = text.data();
  const std::size_t size = text.size();
  std::uint64_t state = size * kFactor;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) state = fold(state ^ load(data + at, 8));
    state = fold(state ^ load(data + size - 8, 8));
  } else if (size >= 4) {
    state = fold(state ^ load(data, 4) ^ (load(data + size - 4, 4) << 32));
  } else if (size > 0) {
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(data[i])}; };
    state = fold(state ^ byte(0) ^ (byte(size / 2) << 8) ^ (byte(size - 1) << 16));
  }
  return static_cast<std::uint32_t>(fold(state));
}

}  // namespace

void TokenIndex::reserve(std::size_t texts, std::size_t bytes) {
  bytes_.reserve(bytes);
  starts_.reserve(texts + 1);
  grow(std::bit_ceil(std::max<std::size_t>(2 * texts, 16)));
}

SymbolId TokenIndex::add(std::string_view text, bool findable) {
  const auto id = static_cast<SymbolId>(size());
  bytes_ += text;
  starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  if (!findable || text.empty()) return id;
  const std::uint32_t hash = hash_of(text);
  std::size_t slot = slot_of(text, hash);
  if (slots_[slot].id != kNoSymbol) return id;
  if (2 * (used_ + 1) > slots_.size()) {
    grow(2 * slots_.size());
    slot = slot_of(text, hash);
  }
  slots_[slot] = {hash, id};
  ++used_;
  longest_ = std::max(longest_, text.size());
  return id;
}

SymbolId TokenIndex::find(std::string_view text) const {
  if (text.empty() || text.size() > longest_) return kNoSymbol;
  return slots_[slot_of(text, hash_of(text))].id;
}

std::size_t TokenIndex::slot_of(std::string_view wanted, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const Slot& held = slots_[slot];
    if (held.id == kNoSymbol || (held.hash == hash && text(held.id) == wanted)) return slot;
  }
}

void TokenIndex::grow(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  const std::size_t mask = slots - 1;
  for (const Slot& held : old) {
    if (held.id == kNoSymbol) continue;
    std::size_t slot = held.hash & mask;
    while (slots_[slot].id != kNoSymbol) slot = (slot + 1) & mask;
    slots_[slot] = held;
  }
}

}  // namespace wisp::text
