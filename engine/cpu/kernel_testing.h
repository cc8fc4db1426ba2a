// For the tests of kernels: every kernel set that runs here, and buffers that notice what happens around them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "cpu/cpu_info.h"
#include "quant/random_blocks.h"

namespace wisp::cpu::test {

// n elements of T from a 64-byte boundary on, `shift` elements behind it; 0xFF (NaN, as a float) before, in and behind
// them.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t n, std::size_t shift = 0)
      : n_(n),
        shift_(shift),
        bytes_(2 * kGuard + (n + shift) * sizeof(T)),
        memory_(static_cast<std::uint8_t*>(::operator new(bytes_, std::align_val_t{64}))) {
    std::memset(memory_.get(), 0xFF, bytes_);
  }
  Guarded(std::span<const T> values, std::size_t shift = 0) : Guarded(values.size(), shift) {
    if (!values.empty()) std::memcpy(static_cast<void*>(data()), values.data(), values.size_bytes());
  }
  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(memory_.get() + kGuard) + shift_; }
  [[nodiscard]] std::size_t size() const { return n_; }
  [[nodiscard]] std::span<T> span() const { return {data(), n_}; }
  T& operator[](std::size_t i) const { return data()[i]; }
  // Nothing outside the n elements was written.
  [[nodiscard]] bool intact() const {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(data());
    const auto* end = reinterpret_cast<const std::uint8_t*>(data() + n_);
    const auto untouched = [](std::uint8_t byte) { return byte == 0xFF; };
    return std::all_of(static_cast<const std::uint8_t*>(memory_.get()), begin, untouched) &&
           std::all_of(end, static_cast<const std::uint8_t*>(memory_.get()) + bytes_, untouched);
  }

 private:
  static constexpr std::size_t kGuard = 256;
  struct Free {
    void operator()(std::uint8_t* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::size_t n_, shift_, bytes_;
  std::unique_ptr<std::uint8_t, Free> memory_;
};

// In [-amplitude, amplitude).
inline std::vector<float> random_floats(std::size_t n, quant::Random& random, float amplitude = 1.0f) {
  std::vector<float> values(n);
  for (float& value : values) value = amplitude * random.uniform();
  return values;
}

// The same bits: NaN equals itself, and -0 is not 0.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

class CpuKernels : public testing::TestWithParam<const Kernels*> {
 protected:
  [[nodiscard]] static const Kernels& kernels() { return *GetParam(); }
  // Without FMA a multiply-add is rounded twice.
  [[nodiscard]] static bool has_fma() { return std::string(kernels().name) != "wasm-simd128"; }
};

inline std::vector<const Kernels*> running_kernels() {
  std::vector<const Kernels*> running;
  for (const KernelSet& set : cpu_info().sets) {
    if (set.runs_here) running.push_back(set.kernels);
  }
  return running;
}

inline std::string kernels_name(const testing::TestParamInfo<const Kernels*>& info) {
  std::string name = info.param->name;
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace wisp::cpu::test
