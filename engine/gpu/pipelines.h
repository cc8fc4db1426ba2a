// Every text is compiled once, ahead of its use, and every combination of buffers is bound once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "gpu/device/commands.h"
#include "gpu/device/device.h"
#include "gpu/shader/kernel.h"

namespace wisp::gpu {

struct Pipeline {
  PipelineId id = PipelineId::none;
  LayoutId layout = LayoutId::none;  // of group 1; none where the kernel has no bindings of its own
};

class Pipelines {
 public:
  explicit Pipelines(Device& device);

  // Starts compiling where the text is new.
  Pipeline get(const Kernel& kernel);
  // The same for a kernel that will probably be wanted; nobody hears of it if it does not compile and is not.
  void hint(const Kernel& kernel) { static_cast<void>(find(kernel)); }
  // All that get() was asked for.
  [[nodiscard]] std::vector<Kernel> wanted() const;
  // A bind group of group 1 for a pipeline; none where it has no bindings.
  BindGroupId group(const Pipeline& pipeline, const std::vector<Binding>& bindings, std::string_view label);
  [[nodiscard]] LayoutId shared_layout() const { return shared_layout_; }

  // Gathers what was compiled. True: nothing is under way. Code::internal with the compiler's message when a text does
  // not compile.
  Result<bool> poll();
  // What the next poll() waits for.
  [[nodiscard]] Ticket waits_for() const { return compiling_.empty() ? Ticket::none : compiling_.front().ticket; }
  [[nodiscard]] std::size_t compiled() const { return compiled_; }
  [[nodiscard]] std::uint64_t compile_nanoseconds() const { return compile_ns_; }

 private:
  struct Known {
    Pipeline pipeline;
    std::string label;
    std::vector<BindingKind> bindings;
    bool wanted = false;
  };
  using Texts = std::map<std::string, Known, std::less<>>;
  struct Compiling {
    Ticket ticket;
    Texts::iterator text;
  };
  Known& find(const Kernel& kernel);
  LayoutId layout(const std::vector<BindingKind>& kinds);

  Device& device_;
  Commands commands_;
  LayoutId shared_layout_ = LayoutId::none;
  std::map<std::vector<BindingKind>, LayoutId> layouts_;
  Texts by_text_;
  std::map<std::vector<std::uint64_t>, BindGroupId> groups_;
  std::vector<Compiling> compiling_;
  std::size_t compiled_ = 0;
  std::uint64_t compile_ns_ = 0;  // with at least one under way
  std::uint64_t began_ns_ = 0;
};

}  // namespace wisp::gpu
