// Arithmetic on numbers that come from a file or a request: an overflow is an answer, never a wrapped value.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>

namespace wisp {

template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// The next multiple of `alignment` (a power of two) at or above `value`; nothing when that does not fit.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_align_up(T value, T alignment) {
  const std::optional<T> raised = checked_add<T>(value, static_cast<T>(alignment - 1));
  if (!raised) return std::nullopt;
  return static_cast<T>(*raised & ~static_cast<T>(alignment - 1));
}

// Is [offset, offset + length) inside [0, size)? Cannot overflow.
[[nodiscard]] constexpr bool range_fits(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  return offset <= size && length <= size - offset;
}

// For sizes the engine chose itself, known to be small.
template <std::integral T>
[[nodiscard]] constexpr T align_up(T value, T alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

template <std::integral T>
[[nodiscard]] constexpr T div_up(T value, T divisor) {
  return (value + divisor - 1) / divisor;
}

}  // namespace wisp
