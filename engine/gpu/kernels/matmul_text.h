// What the texts of all matrix kernels have in common: names of matrices and epilogue, and how workgroups are shared
// out.
#pragma once

#include <string>
#include <string_view>

#include "gpu/kernels/matmul.h"
#include "gpu/kernels/text.h"

namespace wisp::gpu {

// Decoders of the matrices, and the names that say what comes before and after. `blocks`: of 32 columns in a row, an
// expression.
Status define_matrices(KernelText& text, const MatMulSpec& spec, std::string_view blocks);

// Workgroups of all matrices together, where each takes `unit` rows of one (of both, where gated), and the first one of
// matrix p.
std::uint32_t units_of(const MatMulSpec& spec, std::uint32_t unit);
std::uint32_t first_unit_of(const MatMulSpec& spec, std::uint32_t p, std::uint32_t unit);

std::string label_of(std::string_view kernel, const MatMulSpec& spec);

}  // namespace wisp::gpu
