#include "gpu/pipelines.h"

#include <array>

#include "base/clock.h"

namespace wisp::gpu {

Pipelines::Pipelines(Device& device) : device_(device), shared_layout_(device.new_layout()) {
  constexpr std::array kShared = {BindingKind::storage_read, BindingKind::storage_read_write,
                                  BindingKind::uniform_dynamic};
  commands_.create_layout(shared_layout_, kShared, "wisp group 0");
  device_.run(commands_);
}

LayoutId Pipelines::layout(const std::vector<BindingKind>& kinds) {
  if (kinds.empty()) return LayoutId::none;
  LayoutId& known = layouts_[kinds];
  if (known == LayoutId::none) {
    known = device_.new_layout();
    commands_.create_layout(known, kinds, "wisp group 1");
  }
  return known;
}

Pipeline Pipelines::get(const Kernel& kernel) {
  Known& known = find(kernel);
  known.wanted = true;
  return known.pipeline;
}

Pipelines::Known& Pipelines::find(const Kernel& kernel) {
  const auto known = by_text_.find(kernel.wgsl);
  if (known != by_text_.end()) return known->second;
  commands_.clear();
  const Pipeline pipeline = {device_.new_pipeline(), layout(kernel.bindings)};
  const Ticket ticket = device_.new_ticket();
  const std::array layouts = {shared_layout_, pipeline.layout};
  commands_.create_pipeline(pipeline.id, ticket, kernel.wgsl,
                            std::span(layouts).first(pipeline.layout == LayoutId::none ? 1 : 2), kernel.label);
  if (compiling_.empty()) began_ns_ = now_ns();
  device_.run(commands_);
  const auto added = by_text_.try_emplace(kernel.wgsl, Known{pipeline, kernel.label, kernel.bindings}).first;
  compiling_.push_back({ticket, added});
  return added->second;
}

std::vector<Kernel> Pipelines::wanted() const {
  std::vector<Kernel> kernels;
  for (const auto& [text, known] : by_text_) {
    if (known.wanted) kernels.push_back({.label = known.label, .wgsl = text, .bindings = known.bindings});
  }
  return kernels;
}

BindGroupId Pipelines::group(const Pipeline& pipeline, const std::vector<Binding>& bindings, std::string_view label) {
  if (pipeline.layout == LayoutId::none) return BindGroupId::none;
  std::vector<std::uint64_t> key = {static_cast<std::uint64_t>(pipeline.layout)};
  for (const Binding& binding : bindings) {
    key.insert(key.end(), {static_cast<std::uint64_t>(binding.buffer), binding.offset, binding.bytes});
  }
  BindGroupId& known = groups_[key];
  if (known == BindGroupId::none) {
    known = device_.new_bind_group();
    commands_.clear();
    commands_.create_bind_group(known, pipeline.layout, bindings, label);
    device_.run(commands_);
  }
  return known;
}

Result<bool> Pipelines::poll() {
  device_.poll();
  if (!device_.lost().empty()) return fail(Code::device, "the device was lost: {}", device_.lost());
  for (std::size_t i = 0; i < compiling_.size();) {
    const std::optional<Event> event = device_.take(compiling_[i].ticket);
    if (!event) {
      ++i;
      continue;
    }
    if (!event->ok && compiling_[i].text->second.wanted) {
      return fail(Code::internal, "the kernel '{}' does not compile on {}: {}", compiling_[i].text->second.label,
                  device_.info().name, event->message);
    }
    if (event->ok) {
      ++compiled_;
    } else {
      by_text_.erase(compiling_[i].text);
    }
    compiling_[i] = compiling_.back();
    compiling_.pop_back();
    if (compiling_.empty()) compile_ns_ += now_ns() - began_ns_;
  }
  return compiling_.empty();
}

}  // namespace wisp::gpu
