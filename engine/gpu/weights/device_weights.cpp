#include "gpu/weights/device_weights.h"

#include <algorithm>

#include "base/checked.h"
#include "gpu/weights/plane_layout.h"
#include "gpu/weights/repack.h"
#include "quant/block_format.h"

namespace wisp::gpu {
namespace {

// What is written to the device lies in memory of the driver, or of the browser, until the device has copied it: so
// many uploads of at least so many bytes may lie there.
constexpr std::uint64_t kUploadBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMostUploads = 3;

// The most rows of a weight, in whole tiles, whose planes can be bound.
Result<std::uint32_t> rows_of_part(const graph::Weight& weight, const Limits& limits) {
  const std::uint64_t most = std::min(limits.max_binding_bytes, limits.max_buffer_bytes);
  WISP_TRY(const PlaneBytes tile, plane_bytes(weight.type, weight.columns, kTileRows));
  const std::uint64_t tiles = most / std::max(tile.quants, tile.scales);
  if (tiles == 0) {
    return fail(Code::limit, "8 rows of {} take {} bytes; the device binds {} at once", weight.name,
                std::max(tile.quants, tile.scales), most);
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(tiles * kTileRows, align_up(weight.rows, kTileRows)));
}

}  // namespace

Status DeviceWeights::place_matrix(const graph::Weight& weight, std::size_t index) {
  WISP_TRY(const std::uint32_t most, rows_of_part(weight, device_.info().limits));
  for (std::uint32_t first = 0; first < weight.rows; first += most) {
    MatrixPart part{.first_row = first, .rows = std::min(most, weight.rows - first), .quants = {}, .scales = {}};
    WISP_TRY(const PlaneBytes bytes, plane_bytes(weight.type, weight.columns, part.rows));
    PartRanges ranges;
    WISP_TRY(ranges.quants, slabs_.reserve(bytes.quants));
    if (bytes.scales > 0) {
      WISP_TRY(ranges.scales, slabs_.reserve(bytes.scales));
    }
    matrices_[index].push_back(part);
    ranges_[index].push_back(ranges);
  }
  return {};
}

Status DeviceWeights::place(const graph::Graph& graph) {
  const std::size_t count = graph.weights.size();
  matrices_.resize(count);
  ranges_.resize(count);
  vector_offsets_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const graph::Weight& weight = graph.weights[i];
    if (weight.use.matrix || weight.use.table) WISP_CHECK(place_matrix(weight, i));
    if (weight.use.vector) {
      vector_offsets_[i] = static_cast<std::uint32_t>(vectors_.size());
      vectors_.resize(vectors_.size() + std::size_t{weight.columns} * weight.rows);
    }
  }
  WISP_CHECK(slabs_.allocate());
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t p = 0; p < matrices_[i].size(); ++p) {
      MatrixPart& part = matrices_[i][p];
      part.quants = slabs_[ranges_[i][p].quants];
      if (!is_float_type(graph.weights[i].type)) part.scales = slabs_[ranges_[i][p].scales];
    }
  }
  return {};
}

Status DeviceWeights::begin(const graph::Graph& graph, const gguf::File& file) {
  graph_ = &graph;
  WISP_CHECK(place(graph));
  stream_ = graph::WeightStream(graph, file, graph::weights_where(graph, [](const graph::Weight& weight) {
                                  return weight.use.matrix || weight.use.table || weight.use.vector;
                                }));
  return {};
}

Result<graph::LoadState> DeviceWeights::load_more() {
  WISP_TRY(const bool has_slabs, slabs_.poll());
  if (!has_slabs) return graph::LoadState::waits;
  device_.poll();
  WISP_CHECK(check_lost());
  while (!uploads_.empty() && device_.take(uploads_.front())) uploads_.pop_front();
  if (uploads_.size() >= kMostUploads) return graph::LoadState::waits;
  WISP_TRY(const graph::LoadState state, stream_.give([this](const graph::WeightChunk& chunk) { return take(chunk); }));
  if (written_ >= kUploadBytes || (written_ > 0 && stream_.finished())) {
    uploads_.push_back(device_.new_ticket());
    commands_.clear();
    commands_.signal(uploads_.back());
    device_.run(commands_);
    written_ = 0;
  }
  WISP_CHECK(check_lost());
  return stream_.finished() && !uploads_.empty() ? graph::LoadState::waits : state;
}

Ticket DeviceWeights::waits_for() const {
  if (slabs_.waits_for() != Ticket::none) return slabs_.waits_for();
  const bool full = uploads_.size() >= kMostUploads || stream_.finished();
  return full && !uploads_.empty() ? uploads_.front() : Ticket::none;
}

Status DeviceWeights::check_lost() const {
  if (device_.lost().empty()) return {};
  return fail(Code::device, "the device was lost while it was loaded: {}", device_.lost());
}

Status DeviceWeights::take(const graph::WeightChunk& chunk) {
  const auto index = static_cast<std::size_t>(chunk.weight);
  const graph::Weight& weight = graph_->weights[index];
  if (weight.use.vector) WISP_CHECK(take_vector(weight, index, chunk.first_row, chunk.rows, chunk.bytes));
  if (matrices_[index].empty()) return {};
  return take_matrix(weight, index, chunk.first_row, chunk.rows, chunk.bytes);
}

Status DeviceWeights::take_vector(const graph::Weight& weight, std::size_t index, std::uint32_t first_row,
                                  std::uint32_t rows, std::span<const std::byte> bytes) {
  const std::span<float> out(vectors_.data() + vector_offsets_[index] + std::size_t{first_row} * weight.columns,
                             std::size_t{rows} * weight.columns);
  return quant::decode(weight.type, bytes, out);
}

Status DeviceWeights::take_matrix(const graph::Weight& weight, std::size_t index, std::uint32_t first_row,
                                  std::uint32_t rows, std::span<const std::byte> bytes) {
  const std::size_t row_bytes = bytes.size() / rows;
  WISP_TRY(const PlaneBytes tile, plane_bytes(weight.type, weight.columns, kTileRows));
  for (const MatrixPart& part : matrices_[index]) {
    const std::uint32_t begin = std::max(first_row, part.first_row);
    const std::uint32_t end = std::min(first_row + rows, part.first_row + part.rows);
    if (begin >= end) continue;
    WISP_TRY(const PlaneBytes piece, plane_bytes(weight.type, weight.columns, end - begin));
    // A chunk is bounded, so its planes are.
    quants_.resize(static_cast<std::size_t>(piece.quants / 4));
    scales_.resize(static_cast<std::size_t>(piece.scales / 4));
    WISP_CHECK(repack(weight.type, weight.columns, end - begin,
                      bytes.subspan((begin - first_row) * row_bytes, (end - begin) * row_bytes), quants_, scales_));
    const std::uint64_t tiles = (begin - part.first_row) / kTileRows;
    write(part.quants, tiles * tile.quants, quants_);
    if (piece.scales > 0) write(part.scales, tiles * tile.scales, scales_);
  }
  return {};
}

void DeviceWeights::write(const Binding& binding, std::uint64_t offset, std::span<const std::uint32_t> words) {
  commands_.clear();
  commands_.write_buffer(binding.buffer, binding.offset + offset, std::as_bytes(words));
  device_.run(commands_);
  written_ += words.size_bytes();
}

}  // namespace wisp::gpu
