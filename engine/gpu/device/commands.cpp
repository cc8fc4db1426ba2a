#include "gpu/device/commands.h"

namespace wisp::gpu {

void Commands::begin(Opcode opcode) {
  begin_ = words_.size();
  put(static_cast<std::uint32_t>(opcode));
}

void Commands::end() { words_[begin_] |= static_cast<std::uint32_t>(words_.size() - begin_) << 8; }

void Commands::put64(std::uint64_t value) {
  put(static_cast<std::uint32_t>(value));
  put(static_cast<std::uint32_t>(value >> 32));
}

void Commands::put_text(std::string_view text) {
  put_address(text.data());
  put(static_cast<std::uint32_t>(text.size()));
}

void Commands::create_buffer(BufferId buffer, std::uint32_t usage, std::uint64_t bytes, std::string_view label) {
  changes_.push_back({buffer, bytes});
  try_buffer(buffer, usage, bytes, label);
}

void Commands::try_buffer(BufferId buffer, std::uint32_t usage, std::uint64_t bytes, std::string_view label) {
  begin(Opcode::create_buffer);
  put(static_cast<std::uint32_t>(buffer));
  put(usage);
  put64(bytes);
  put_text(label);
  end();
}

void Commands::destroy_buffer(BufferId buffer) {
  changes_.push_back({buffer, 0});
  begin(Opcode::destroy_buffer);
  put(static_cast<std::uint32_t>(buffer));
  end();
}

void Commands::write_buffer(BufferId buffer, std::uint64_t offset, std::span<const std::byte> bytes) {
  begin(Opcode::write_buffer);
  put(static_cast<std::uint32_t>(buffer));
  put64(offset);
  put_address(bytes.data());
  put64(bytes.size());
  end();
}

void Commands::create_layout(LayoutId layout, std::span<const BindingKind> kinds, std::string_view label) {
  begin(Opcode::create_layout);
  put(static_cast<std::uint32_t>(layout));
  put_text(label);
  put(static_cast<std::uint32_t>(kinds.size()));
  for (const BindingKind kind : kinds) put(static_cast<std::uint32_t>(kind));
  end();
}

void Commands::create_pipeline(PipelineId pipeline, Ticket ticket, std::string_view wgsl,
                               std::span<const LayoutId> layouts, std::string_view label) {
  begin(Opcode::create_pipeline);
  put(static_cast<std::uint32_t>(pipeline));
  put(static_cast<std::uint32_t>(ticket));
  put_text(wgsl);
  put_text(label);
  put(static_cast<std::uint32_t>(layouts.size()));
  for (const LayoutId layout : layouts) put(static_cast<std::uint32_t>(layout));
  end();
}

void Commands::destroy_pipeline(PipelineId pipeline) {
  begin(Opcode::destroy_pipeline);
  put(static_cast<std::uint32_t>(pipeline));
  end();
}

void Commands::create_bind_group(BindGroupId group, LayoutId layout, std::span<const Binding> bindings,
                                 std::string_view label) {
  begin(Opcode::create_bind_group);
  put(static_cast<std::uint32_t>(group));
  put(static_cast<std::uint32_t>(layout));
  put_text(label);
  put(static_cast<std::uint32_t>(bindings.size()));
  for (const Binding& binding : bindings) {
    put(static_cast<std::uint32_t>(binding.buffer));
    put64(binding.offset);
    put64(binding.bytes);
  }
  end();
}

void Commands::destroy_bind_group(BindGroupId group) {
  begin(Opcode::destroy_bind_group);
  put(static_cast<std::uint32_t>(group));
  end();
}

void Commands::create_query_set(QuerySetId set, std::uint32_t count) {
  begin(Opcode::create_query_set);
  put(static_cast<std::uint32_t>(set));
  put(count);
  end();
}

void Commands::destroy_query_set(QuerySetId set) {
  begin(Opcode::destroy_query_set);
  put(static_cast<std::uint32_t>(set));
  end();
}

void Commands::begin_pass(std::string_view label, QuerySetId queries, std::uint32_t first_query) {
  begin(Opcode::begin_pass);
  put_text(label);
  put(static_cast<std::uint32_t>(queries));
  put(first_query);
  end();
}

void Commands::set_pipeline(PipelineId pipeline) {
  begin(Opcode::set_pipeline);
  put(static_cast<std::uint32_t>(pipeline));
  end();
}

void Commands::set_bind_group(std::uint32_t number, BindGroupId group, std::span<const std::uint32_t> dynamic_offsets) {
  begin(Opcode::set_bind_group);
  put(number);
  put(static_cast<std::uint32_t>(group));
  put(static_cast<std::uint32_t>(dynamic_offsets.size()));
  for (const std::uint32_t offset : dynamic_offsets) put(offset);
  end();
}

void Commands::dispatch(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  begin(Opcode::dispatch);
  put(x);
  put(y);
  put(z);
  end();
}

void Commands::end_pass() {
  begin(Opcode::end_pass);
  end();
}

void Commands::copy_buffer(BufferId from, std::uint64_t from_offset, BufferId to, std::uint64_t to_offset,
                           std::uint64_t bytes) {
  begin(Opcode::copy_buffer);
  put(static_cast<std::uint32_t>(from));
  put64(from_offset);
  put(static_cast<std::uint32_t>(to));
  put64(to_offset);
  put64(bytes);
  end();
}

void Commands::clear_buffer(BufferId buffer, std::uint64_t offset, std::uint64_t bytes) {
  begin(Opcode::clear_buffer);
  put(static_cast<std::uint32_t>(buffer));
  put64(offset);
  put64(bytes);
  end();
}

void Commands::resolve_queries(QuerySetId set, std::uint32_t first, std::uint32_t count, BufferId buffer,
                               std::uint64_t offset) {
  begin(Opcode::resolve_queries);
  put(static_cast<std::uint32_t>(set));
  put(first);
  put(count);
  put(static_cast<std::uint32_t>(buffer));
  put64(offset);
  end();
}

void Commands::read_buffer(Ticket ticket, BufferId buffer, std::uint64_t offset, std::span<std::byte> target) {
  begin(Opcode::read_buffer);
  put(static_cast<std::uint32_t>(ticket));
  put(static_cast<std::uint32_t>(buffer));
  put64(offset);
  put64(target.size());
  put_address(target.data());
  end();
}

void Commands::signal(Ticket ticket) {
  begin(Opcode::signal);
  put(static_cast<std::uint32_t>(ticket));
  end();
}

void Commands::push_error_scope(bool out_of_memory) {
  begin(Opcode::push_error_scope);
  put(out_of_memory ? 1 : 0);
  end();
}

void Commands::pop_error_scope(Ticket ticket) {
  begin(Opcode::pop_error_scope);
  put(static_cast<std::uint32_t>(ticket));
  end();
}

bool CommandReader::next() {
  at_ = end_;
  if (at_ >= words_.size()) return false;
  const std::uint32_t head = words_[at_];
  opcode_ = static_cast<Opcode>(head & 0xff);
  end_ = at_ + (head >> 8);
  ++at_;
  return true;
}

std::uint32_t CommandReader::word() { return words_[at_++]; }

std::uint64_t CommandReader::word64() {
  const std::uint64_t low = word();
  return low | std::uint64_t{word()} << 32;
}

std::string_view CommandReader::text() {
  const auto* first = reinterpret_cast<const char*>(static_cast<std::uintptr_t>(word64()));
  return {first, word()};
}

}  // namespace wisp::gpu
