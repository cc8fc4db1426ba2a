// Where the sampled tokens lie on the device: each slot of graph/async_executor.h keeps its last kSlotDepth tokens,
// since a later sample may have to look at those that the host does not know yet. The host counts along, so the device
// needs no counters: a step's words name places in `array<i32>` [kSlots][kSlotDepth].
#pragma once

#include <array>
#include <cstdint>

namespace wisp::gpu {

inline constexpr std::uint32_t kSlots = 64;
// Steps that may be in flight, so that no token is written over that somebody in flight still asks for.
inline constexpr std::uint32_t kSlotDepth = 8;

class SlotRing {
 public:
  // The place of the token that was sampled `before` samples before the last one into the slot.
  [[nodiscard]] std::uint32_t last(std::uint32_t slot, std::uint32_t before = 0) const {
    return slot * kSlotDepth + (written_[slot] + kSlotDepth - 1 - before) % kSlotDepth;
  }
  // The place for a new one.
  std::uint32_t next(std::uint32_t slot) { return slot * kSlotDepth + written_[slot]++ % kSlotDepth; }

 private:
  std::array<std::uint32_t, kSlots> written_ = {};
};

}  // namespace wisp::gpu
