#include "graph/scalar_kv.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/half.h"
#include "graph/kv_block.h"

namespace wisp::graph::scalar {
namespace {

constexpr std::size_t kRun = kKvRun;

void put_f16(std::byte* at, float value) {
  const std::uint16_t half = f16_from_f32(value);
  std::memcpy(at, &half, sizeof half);
}

float get_f16(const std::byte* at) {
  std::uint16_t half = 0;
  std::memcpy(&half, at, sizeof half);
  return f32_from_f16(half);
}

void put_q8_0(std::byte* at, std::span<const float> values) {
  for (std::size_t first = 0; first < values.size(); first += kRun) {
    const std::span<const float> run = values.subspan(first, std::min(kRun, values.size() - first));
    float largest = 0.0f;
    for (const float value : run) largest = std::abs(value) > largest ? std::abs(value) : largest;
    const float inverse = largest > 0.0f ? 127.0f / largest : 0.0f;
    put_f16(at, largest / 127.0f);
    at += sizeof(std::uint16_t);
    for (const float value : run) {
      const float rounded = std::nearbyint(value * inverse);
      const float kept = rounded >= -127.0f ? (rounded <= 127.0f ? rounded : 127.0f) : -127.0f;  // also for NaN
      *at++ = static_cast<std::byte>(static_cast<std::int8_t>(kept));
    }
  }
}

void get_q8_0(const std::byte* at, std::span<float> values) {
  for (std::size_t first = 0; first < values.size(); first += kRun) {
    const std::span<float> run = values.subspan(first, std::min(kRun, values.size() - first));
    const float d = get_f16(at);
    at += sizeof(std::uint16_t);
    for (float& value : run) value = d * static_cast<float>(static_cast<std::int8_t>(*at++));
  }
}

}  // namespace

Status KvStore::allocate(const KvLayout& layout, KvType type, std::span<const std::uint32_t> blocks) {
  if (blocks.size() != layout.groups.size()) {
    return fail(Code::invalid_argument, "{} block counts for {} KV groups", blocks.size(), layout.groups.size());
  }
  layout_ = layout;
  type_ = type;
  blocks_.assign(blocks.begin(), blocks.end());
  block_bytes_.assign(blocks.size(), 0);
  layer_offset_.clear();
  for (const KvLayer& layer : layout.layers) {
    std::uint64_t& end = block_bytes_[static_cast<std::size_t>(layer.group)];
    layer_offset_.push_back(end);
    end += 2 * std::uint64_t{kKvBlock} * layer.kv_heads * kv_entry_bytes(type, layer.head_dim);
  }
  storage_.clear();
  for (std::size_t g = 0; g < blocks.size(); ++g) {
    const std::optional<std::uint64_t> bytes = checked_mul<std::uint64_t>(block_bytes_[g], blocks[g]);
    if (!bytes) return fail(Code::out_of_memory, "{} KV blocks of {} bytes fit no memory", blocks[g], block_bytes_[g]);
    WISP_TRY(Buffer buffer, Buffer::allocate(*bytes, "kv"));
    storage_.push_back(std::move(buffer));
  }
  return {};
}

std::span<std::byte> KvStore::entry(int layer, KvPart part, std::int32_t block, std::uint32_t slot,
                                    std::uint32_t head) const {
  const KvLayer& shape = layout_.layers[static_cast<std::size_t>(layer)];
  const std::size_t group = static_cast<std::size_t>(shape.group);
  const std::uint64_t size = kv_entry_bytes(type_, shape.head_dim);
  const std::uint64_t plane = std::uint64_t{kKvBlock} * shape.kv_heads * size;
  const std::uint64_t inside = layer_offset_[static_cast<std::size_t>(layer)] + (part == KvPart::value ? plane : 0) +
                               (std::uint64_t{slot} * shape.kv_heads + head) * size;
  return storage_[group].bytes().subspan(
      static_cast<std::size_t>(static_cast<std::uint64_t>(block) * block_bytes_[group] + inside),
      static_cast<std::size_t>(size));
}

void KvStore::write(int layer, KvPart part, std::int32_t block, std::uint32_t slot, std::uint32_t head,
                    std::span<const float> values) {
  std::byte* at = entry(layer, part, block, slot, head).data();
  switch (type_) {
    case KvType::f32: std::memcpy(at, values.data(), values.size_bytes()); return;
    case KvType::f16:
      for (std::size_t i = 0; i < values.size(); ++i) put_f16(at + i * sizeof(std::uint16_t), values[i]);
      return;
    case KvType::q8_0: put_q8_0(at, values); return;
  }
}

void KvStore::read(int layer, KvPart part, std::int32_t block, std::uint32_t slot, std::uint32_t head,
                   std::span<float> values) const {
  const std::byte* at = entry(layer, part, block, slot, head).data();
  switch (type_) {
    case KvType::f32: std::memcpy(values.data(), at, values.size_bytes()); return;
    case KvType::f16:
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = get_f16(at + i * sizeof(std::uint16_t));
      return;
    case KvType::q8_0: get_q8_0(at, values); return;
  }
}

void KvStore::copy(const BlockCopy& copy) {
  const auto group = static_cast<std::size_t>(copy.group);
  const auto size = static_cast<std::size_t>(block_bytes_[group]);
  const std::span<std::byte> bytes = storage_[group].bytes();
  std::memmove(bytes.data() + static_cast<std::size_t>(copy.to) * size,
               bytes.data() + static_cast<std::size_t>(copy.from) * size, size);
}

std::span<std::byte> KvStore::block(int group, std::int32_t block) const {
  const std::uint64_t size = block_bytes_[static_cast<std::size_t>(group)];
  return storage_[static_cast<std::size_t>(group)].bytes().subspan(
      static_cast<std::size_t>(static_cast<std::uint64_t>(block) * size), static_cast<std::size_t>(size));
}

std::uint64_t KvStore::bytes() const {
  std::uint64_t total = 0;
  for (const Buffer& buffer : storage_) total += buffer.size();
  return total;
}

}  // namespace wisp::graph::scalar
