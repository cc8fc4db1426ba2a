#include "cpu/weights.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "cpu/repack.h"
#include "quant/block_format.h"

namespace wisp::cpu {

using graph::Weight;
using graph::WeightChunk;

namespace {

std::span<const std::byte> in_place(const Weight& weight, const gguf::File& file) {
  const gguf::TensorInfo& tensor = file.tensors[weight.tensor];
  return file.sources[static_cast<std::size_t>(tensor.split)]->view(graph::first_byte(weight, file),
                                                                    graph::row_bytes(weight) * weight.rows);
}

}  // namespace

// Lays every matrix and vector out in one slab each.
Status Weights::place(const graph::Graph& graph, const gguf::File& file, bool repack) {
  const std::size_t n = graph.weights.size();
  matrices_.assign(n, {});
  vectors_.assign(n, nullptr);
  tables_.assign(n, {});
  offsets_.assign(n, 0);
  std::uint64_t slab_bytes = 0;
  std::uint64_t vector_bytes = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Weight& weight = graph.weights[i];
    if (weight.use.vector) vector_bytes += align_up<std::uint64_t>(std::uint64_t{4} * weight.columns * weight.rows, 64);
    if (!weight.use.matrix) continue;
    const std::optional<PanelFormat> format = panel_format(weight.type);
    if (!format) {
      return fail(Code::unsupported, "tensor '{}' is {}, for which there are no CPU kernels yet",
                  printable(weight.name), gguf::tensor_type_info(weight.type).name);
    }
    Matrix& matrix = matrices_[i];
    matrix.packed.rows = weight.rows;
    matrix.packed.columns = weight.columns;
    matrix.packed.format = *format;
    matrix.packed.quant_stride = align_up<std::size_t>(panel_quant_bytes(*format, weight.columns), 64);
    matrix.packed.scale_stride = panel_scale_bytes(*format, weight.columns);
    if (!repack) {
      const std::span<const std::byte> bytes = in_place(weight, file);
      if (!bytes.empty()) {
        matrix.blocks = bytes.data();
        matrix.row_bytes = static_cast<std::size_t>(graph::row_bytes(weight));
        continue;
      }
    }
    offsets_[i] = static_cast<std::size_t>(slab_bytes);
    slab_bytes += packed_bytes(weight.type, weight.rows, weight.columns);
  }
  WISP_TRY(slab_, Buffer::allocate(slab_bytes, "the weights"));
  WISP_TRY(vectors_slab_, Buffer::allocate(vector_bytes, "the norm weights and biases"));
  std::size_t vector_offset = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Weight& weight = graph.weights[i];
    if (weight.use.vector) {
      vectors_[i] = reinterpret_cast<const float*>(vectors_slab_.data() + vector_offset);
      vector_offset += align_up<std::size_t>(std::size_t{4} * weight.columns * weight.rows, 64);
    }
    Matrix& matrix = matrices_[i];
    if (matrix.packed.rows == 0 || matrix.blocks != nullptr) continue;
    const std::size_t panels = div_up<std::size_t>(weight.rows, kPanelRows);
    matrix.packed.quants = reinterpret_cast<const std::uint8_t*>(slab_.data() + offsets_[i]);
    matrix.packed.scales = matrix.packed.quants + panels * matrix.packed.quant_stride;
  }
  return {};
}

// Tables are gathered from the mapped file; where the source has no mapping they are copied once.
Status Weights::place_tables(const graph::Graph& graph, const gguf::File& file) {
  std::uint64_t copied = 0;
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    const Weight& weight = graph.weights[i];
    if (!weight.use.table) continue;
    const std::span<const std::byte> bytes = in_place(weight, file);
    tables_[i] = {bytes.data(), static_cast<std::size_t>(graph::row_bytes(weight)), weight.type};
    if (bytes.empty()) copied += align_up<std::uint64_t>(graph::row_bytes(weight) * weight.rows, 64);
  }
  WISP_TRY(tables_slab_, Buffer::allocate(copied, "the embedding table"));
  std::size_t offset = 0;
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    const Weight& weight = graph.weights[i];
    if (!weight.use.table || tables_[i].rows != nullptr) continue;
    tables_[i].rows = tables_slab_.data() + offset;
    tables_[i].copied = true;
    offset += align_up<std::size_t>(tables_[i].row_bytes * weight.rows, 64);
  }
  return {};
}

Status Weights::begin(const graph::Graph& graph, const gguf::File& file, bool repack) {
  graph_ = &graph;
  WISP_CHECK(place(graph, file, repack));
  WISP_CHECK(place_tables(graph, file));
  std::vector<graph::WeightId> wanted;
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    const bool packed = matrices_[i].packed.quants != nullptr;
    if (packed || vectors_[i] != nullptr || tables_[i].copied) {
      wanted.push_back(graph::WeightId{static_cast<std::int32_t>(i)});
    }
  }
  stream_ = graph::WeightStream(graph, file, std::move(wanted));
  return {};
}

Result<graph::LoadState> Weights::load_more(ThreadPool& pool) {
  return stream_.give([&](const WeightChunk& chunk) { return take(chunk, pool); });
}

Status Weights::take(const WeightChunk& chunk, ThreadPool& pool) {
  const auto i = static_cast<std::size_t>(chunk.weight);
  const Weight& weight = graph_->weights[i];
  if (vectors_[i] != nullptr) {
    float* out = const_cast<float*>(vectors_[i]) + static_cast<std::size_t>(chunk.first_row) * weight.columns;
    WISP_CHECK(quant::decode(weight.type, chunk.bytes, {out, static_cast<std::size_t>(chunk.rows) * weight.columns}));
  }
  if (tables_[i].copied) {
    std::ranges::copy(chunk.bytes, const_cast<std::byte*>(tables_[i].rows) + chunk.first_row * tables_[i].row_bytes);
  }
  if (matrices_[i].packed.quants != nullptr) pack(chunk, pool);
  return {};
}

void Weights::pack(const WeightChunk& chunk, ThreadPool& pool) {
  const Weight& weight = graph_->weights[static_cast<std::size_t>(chunk.weight)];
  const auto row_bytes = static_cast<std::size_t>(graph::row_bytes(weight));
  const PackedMatrix& matrix = matrices_[static_cast<std::size_t>(chunk.weight)].packed;
  const std::uint32_t first_panel = chunk.first_row / kPanelRows;
  const std::uint32_t panels = div_up<std::uint32_t>(chunk.rows, kPanelRows);
  pool.parallel_for(panels, [&](std::int64_t task, int) {
    const std::size_t panel = first_panel + static_cast<std::size_t>(task);
    const std::size_t row = static_cast<std::size_t>(task) * kPanelRows;
    const int rows = static_cast<int>(std::min<std::size_t>(kPanelRows, chunk.rows - row));
    repack_panel(matrix.format, chunk.bytes.data() + row * row_bytes, row_bytes, rows, weight.columns,
                 const_cast<std::uint8_t*>(matrix.quants) + panel * matrix.quant_stride,
                 const_cast<std::uint8_t*>(matrix.scales) + panel * matrix.scale_stride);
  });
}

Status Weights::table_row(graph::WeightId id, std::int32_t row, std::span<float> out) const {
  const Table& table = tables_[static_cast<std::size_t>(id)];
  return quant::decode(table.type, {table.rows + static_cast<std::size_t>(row) * table.row_bytes, table.row_bytes},
                       out);
}

}  // namespace wisp::cpu
