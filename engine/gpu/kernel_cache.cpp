#include "gpu/kernel_cache.h"

#include <charconv>
#include <cstdint>

#include "gpu/tuner/tuning_memory.h"

namespace wisp::gpu {
namespace {

// The head line, then of each kernel a line "<bindings> <bytes of label> <bytes of text>" and label and text, each with
// a line's end. Bindings are digits of BindingKind, "-" for none.
constexpr std::string_view kHead = "wisp kernels 1\n";
constexpr std::size_t kMostKernels = 4096;

// FNV-1a, 64 bits.
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) state_ = (state_ ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
    state_ = (state_ ^ 0xFFu) * 0x100000001B3u;  // parts what follows from what went before
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325u;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  bool skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  std::string_view until(char end) {
    const std::string_view found = rest_.substr(0, rest_.find(end));
    rest_.remove_prefix(found.size());
    return found;
  }
  bool number(std::size_t& value) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool bytes(std::size_t count, std::string& out) {
    if (count > rest_.size()) return false;
    out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return skip("\n");
  }

 private:
  std::string_view rest_;
};

bool read_kernel(Reader& reader, Kernel& kernel) {
  const std::string_view bindings = reader.until(' ');
  if (bindings.size() > 8) return false;
  if (bindings != "-") {
    for (const char digit : bindings) {
      if (digit < '0' || digit > '3') return false;
      kernel.bindings.push_back(static_cast<BindingKind>(digit - '0'));
    }
  }
  std::size_t label = 0, text = 0;
  return reader.skip(" ") && reader.number(label) && reader.skip(" ") && reader.number(text) && reader.skip("\n") &&
         reader.bytes(label, kernel.label) && reader.bytes(text, kernel.wgsl);
}

}  // namespace

std::string kernel_cache_name(const DeviceInfo& info, const graph::Graph& graph) {
  Hash hash;
  hash.add(device_key(info));
  for (const graph::Weight& weight : graph.weights) {
    hash.add(fmt::format("{} {} {}x{}", weight.name, static_cast<int>(weight.type), weight.rows, weight.columns));
  }
  hash.add(fmt::format("{} ops, {} layers", graph.ops.size(), graph.kv.layers.size()));
  return fmt::format("kernels-{:016x}", hash.value());
}

std::string write_kernels(const std::vector<Kernel>& kernels) {
  std::string text(kHead);
  for (const Kernel& kernel : kernels) {
    for (const BindingKind kind : kernel.bindings) text += static_cast<char>('0' + static_cast<int>(kind));
    if (kernel.bindings.empty()) text += '-';
    text += fmt::format(" {} {}\n{}\n{}\n", kernel.label.size(), kernel.wgsl.size(), kernel.label, kernel.wgsl);
  }
  return text;
}

Result<std::vector<Kernel>> read_kernels(std::string_view text) {
  Reader reader(text);
  if (!reader.skip(kHead)) return fail(Code::invalid_file, "these are no kernels of this version");
  std::vector<Kernel> kernels;
  while (!reader.at_end()) {
    if (kernels.size() == kMostKernels || !read_kernel(reader, kernels.emplace_back())) {
      return fail(Code::invalid_file, "kernel {} is damaged", kernels.size());
    }
  }
  return kernels;
}

}  // namespace wisp::gpu
