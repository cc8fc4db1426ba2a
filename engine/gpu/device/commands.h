// A command stream: what a device is to do, as plain 32-bit words in memory, so that the C++ and the JavaScript side
// execute the same thing. A command is one word (opcode | words of the whole command << 8), then its operands.
//
// Rules for executors:
//   - Everything from begin_pass on is recorded into one command encoder and submitted at the end of the stream, or
//     before a write_buffer that follows recorded work (queue writes would overtake it otherwise).
//   - 64-bit operands (sizes, offsets, host addresses) are two words, low first. Strings are address and byte count,
//     UTF-8, valid during run() only.
//   - A command that names an unknown id is a bug of the caller: an uncaptured error that names command and id.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "gpu/device/device.h"

namespace wisp::gpu {

enum class Opcode : std::uint8_t {
  create_buffer = 1,   // buffer, usage, size:2, label:3
  destroy_buffer,      // buffer
  write_buffer,        // buffer, offset:2, address:2, bytes:2      (offset and bytes are multiples of 4)
  create_layout,       // layout, label:3, n, then n x binding kind; binding i has number i
  create_pipeline,     // pipeline, ticket, wgsl:3, label:3, n, then n x layout; entry point "main"; compiled
                       // asynchronously
  destroy_pipeline,    // pipeline
  create_bind_group,   // bind group, layout, label:3, n, then n x (buffer, offset:2, size:2); entry i has number i
  destroy_bind_group,  // bind group
  create_query_set,    // query set, count                          (timestamps)
  destroy_query_set,   // query set
  begin_pass,          // label:3, query set or 0, index            (writes timestamps index and index + 1)
  set_pipeline,        // pipeline
  set_bind_group,      // group number, bind group, n, then n x dynamic offset in bytes
  dispatch,            // x, y, z
  end_pass,            //
  copy_buffer,         // from, offset:2, to, offset:2, bytes:2
  clear_buffer,        // buffer, offset:2, bytes:2
  resolve_queries,     // query set, first, count, buffer, offset:2 (64 bits each, in DeviceInfo::timestamp_nanoseconds)
  read_buffer,         // ticket, buffer, offset:2, bytes:2, address:2   (event when the bytes are there)
  signal,              // ticket                                    (event when all work so far is finished)
  push_error_scope,    // 0: validation, 1: out of memory
  pop_error_scope,     // ticket
};

// Bits of create_buffer's usage. Copies from and to a buffer are always allowed.
inline constexpr std::uint32_t kStorage = 1, kUniform = 2, kQueryResolve = 4;

enum class BindingKind : std::uint32_t { storage_read = 0, storage_read_write, uniform, uniform_dynamic };

// Bytes of a buffer that a bind group shows.
struct Binding {
  BufferId buffer = BufferId::none;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// A buffer that a stream makes or, with 0 bytes, destroys.
struct BufferChange {
  BufferId buffer = BufferId::none;
  std::uint64_t bytes = 0;
};

class Commands {
 public:
  void clear() {
    words_.clear();
    changes_.clear();
  }
  [[nodiscard]] std::span<const std::uint32_t> words() const { return words_; }
  [[nodiscard]] bool empty() const { return words_.empty(); }
  [[nodiscard]] std::span<const BufferChange> buffer_changes() const { return changes_; }

  void create_buffer(BufferId buffer, std::uint32_t usage, std::uint64_t bytes, std::string_view label);
  // One that only finds out whether there is so much memory; the device does not count it.
  void try_buffer(BufferId buffer, std::uint32_t usage, std::uint64_t bytes, std::string_view label);
  void destroy_buffer(BufferId buffer);
  void write_buffer(BufferId buffer, std::uint64_t offset, std::span<const std::byte> bytes);
  void create_layout(LayoutId layout, std::span<const BindingKind> kinds, std::string_view label);
  void create_pipeline(PipelineId pipeline, Ticket ticket, std::string_view wgsl, std::span<const LayoutId> layouts,
                       std::string_view label);
  void destroy_pipeline(PipelineId pipeline);
  void create_bind_group(BindGroupId group, LayoutId layout, std::span<const Binding> bindings, std::string_view label);
  void destroy_bind_group(BindGroupId group);
  void create_query_set(QuerySetId set, std::uint32_t count);
  void destroy_query_set(QuerySetId set);
  void begin_pass(std::string_view label, QuerySetId queries = QuerySetId::none, std::uint32_t first_query = 0);
  void set_pipeline(PipelineId pipeline);
  void set_bind_group(std::uint32_t number, BindGroupId group, std::span<const std::uint32_t> dynamic_offsets = {});
  void dispatch(std::uint32_t x, std::uint32_t y = 1, std::uint32_t z = 1);
  void end_pass();
  void copy_buffer(BufferId from, std::uint64_t from_offset, BufferId to, std::uint64_t to_offset, std::uint64_t bytes);
  void clear_buffer(BufferId buffer, std::uint64_t offset, std::uint64_t bytes);
  void resolve_queries(QuerySetId set, std::uint32_t first, std::uint32_t count, BufferId buffer, std::uint64_t offset);
  void read_buffer(Ticket ticket, BufferId buffer, std::uint64_t offset, std::span<std::byte> target);
  void signal(Ticket ticket);
  void push_error_scope(bool out_of_memory);
  void pop_error_scope(Ticket ticket);

 private:
  void begin(Opcode opcode);
  void end();
  void put(std::uint32_t word) { words_.push_back(word); }
  void put64(std::uint64_t value);
  void put_address(const void* address) { put64(reinterpret_cast<std::uintptr_t>(address)); }
  void put_text(std::string_view text);

  std::vector<std::uint32_t> words_;  // keeps its capacity: a step that is recorded again allocates nothing
  std::size_t begin_ = 0;             // of the command being written
  std::vector<BufferChange> changes_;
};

// Walks a stream, one command at a time; what the native executor and tests read with.
class CommandReader {
 public:
  explicit CommandReader(std::span<const std::uint32_t> words) : words_(words) {}
  // The next command, or false at the end.
  bool next();
  [[nodiscard]] Opcode opcode() const { return opcode_; }
  std::uint32_t word();
  std::uint64_t word64();
  std::string_view text();
  template <class Id>
  Id id() {
    return Id{word()};
  }

 private:
  std::span<const std::uint32_t> words_;
  std::size_t at_ = 0, end_ = 0;
  Opcode opcode_{};
};

}  // namespace wisp::gpu
