// GGUF blocks to the panels of panel_layout.h, at load time (or on the fly with --no-repack).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cpu/panel_layout.h"
#include "gguf/tensor_type.h"

namespace wisp::cpu {

// Nothing for a type that has no kernels.
std::optional<PanelFormat> panel_format(gguf::TensorType type);

// Bytes of each plane of one panel with that many columns (a multiple of the unit's).
std::size_t panel_quant_bytes(PanelFormat format, std::uint32_t columns);
std::size_t panel_scale_bytes(PanelFormat format, std::uint32_t columns);

// Memory that a packed matrix [rows, columns] takes; 0 for a type without kernels.
std::uint64_t packed_bytes(gguf::TensorType type, std::uint32_t rows, std::uint32_t columns);

// Packs up to 16 rows, `row_bytes` apart, into one panel; missing rows become zeros.
void repack_panel(PanelFormat format, const std::byte* rows, std::size_t row_bytes, int n_rows, std::uint32_t columns,
                  std::uint8_t* quants, std::uint8_t* scales);

}  // namespace wisp::cpu
