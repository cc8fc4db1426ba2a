// From templates to a kernel: what all kernel families share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/tensor_type.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"
#include "gpu/shader/template.h"

namespace wisp::gpu {

// A kernel's text in the making: decoders first, then the main template.
class KernelText {
 public:
  explicit KernelText(const DeviceInfo& info);

  // The decoder of a weight type as matrix number `number` of this kernel, with the next bindings of group 1. `blocks`:
  // of 32 columns in a row, an expression of type u32. Sets FLOAT_<number>, and QUANTS where the type is quantised.
  Status add_decoder(gguf::TensorType type, std::uint32_t number, std::string_view blocks);
  Status add_decoder(gguf::TensorType type, std::uint32_t number, std::uint32_t blocks);
  // The number of the next binding of group 1.
  std::uint32_t add_binding(BindingKind kind);

  // What the text may call beyond the language's core; only where the device has it.
  void use_subgroups();
  void use_f16();
  void use_matrix_units();  // brings subgroups along

  Defines& defines() { return defines_; }
  // Expands `file` behind what was added.
  Result<Kernel> finish(std::string_view file, std::string label, std::array<std::uint32_t, 3> workgroup,
                        std::uint32_t workgroup_bytes) &&;

 private:
  Dialect dialect_;
  std::string head_;
  std::string decoders_;
  std::vector<BindingKind> bindings_;
  Defines defines_;
};

}  // namespace wisp::gpu
