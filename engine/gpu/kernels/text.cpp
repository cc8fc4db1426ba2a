#include "gpu/kernels/text.h"

#include "gpu/weights/plane_layout.h"

namespace wisp::gpu {

KernelText::KernelText(const DeviceInfo& info) : dialect_(info.dialect) {
  const bool packed = info.features.packed_dot;
  // Both compilers know the directive; where the functions are there it costs nothing.
  if (packed) head_ = "requires packed_4x8_integer_dot_product;\n";
  defines_.set("PACKED", packed).set("DOT4", packed ? "dot4I8Packed" : "dot4I8Packed_").set("QUANTS", 0);
}

void KernelText::use_subgroups() {
  // naga has the functions without a directive and refuses it.
  if (dialect_ == Dialect::tint) head_ += "enable subgroups;\n";
}

void KernelText::use_f16() { head_ += "enable f16;\n"; }

void KernelText::use_matrix_units() {
  use_subgroups();
  // Which square of a product is a subgroup's own, only its lanes' numbers say: no compiler can prove that uniform.
  head_ +=
      "enable chromium_experimental_subgroup_matrix;\n"
      "diagnostic(off, chromium.subgroup_matrix_uniformity);\n";
}

std::uint32_t KernelText::add_binding(BindingKind kind) {
  bindings_.push_back(kind);
  return static_cast<std::uint32_t>(bindings_.size() - 1);
}

Status KernelText::add_decoder(gguf::TensorType type, std::uint32_t number, std::uint32_t blocks) {
  return add_decoder(type, number, fmt::format("{}u", blocks));
}

Status KernelText::add_decoder(gguf::TensorType type, std::uint32_t number, std::string_view blocks) {
  const bool is_float = is_float_type(type);
  Defines defines = defines_;
  defines.set("P", number).set("BLOCKS", blocks).set("Q", add_binding(BindingKind::storage_read));
  if (!is_float) defines.set("S", add_binding(BindingKind::storage_read));
  if (decoders_.empty()) {
    WISP_TRY(decoders_, expand_template("decode_common.wgsl", defines));
  }
  WISP_TRY(const std::string text, expand_template(fmt::format("decode_{}.wgsl", decoder_name(type)), defines));
  decoders_ += text;
  defines_.set(fmt::format("FLOAT_{}", number), is_float);
  if (!is_float) defines_.set("QUANTS", 1);
  return {};
}

Result<Kernel> KernelText::finish(std::string_view file, std::string label, std::array<std::uint32_t, 3> workgroup,
                                  std::uint32_t workgroup_bytes) && {
  WISP_TRY(const std::string main, expand_template(file, defines_));
  return Kernel{.label = std::move(label),
                .wgsl = head_ + decoders_ + main,
                .bindings = std::move(bindings_),
                .workgroup = workgroup,
                .workgroup_bytes = workgroup_bytes};
}

}  // namespace wisp::gpu
