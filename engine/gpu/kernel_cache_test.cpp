// Kernels that are kept from run to run: a round trip, and texts that were damaged.
#include "gpu/kernel_cache.h"

#include <gtest/gtest.h>

namespace wisp::gpu {
namespace {

std::vector<Kernel> kernels() {
  return {{.label = "one", .wgsl = "fn main() {}\n", .bindings = {}},
          {.label = "two, with 3 bindings",
           .wgsl = "// \xE2\x9C\x93\n@compute\nfn main() {}",
           .bindings = {BindingKind::storage_read, BindingKind::storage_read_write, BindingKind::uniform_dynamic}}};
}

TEST(KernelCache, ReadsWhatItWrote) {
  const Result<std::vector<Kernel>> read = read_kernels(write_kernels(kernels()));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].label, kernels()[i].label);
    EXPECT_EQ((*read)[i].wgsl, kernels()[i].wgsl);
    EXPECT_EQ((*read)[i].bindings, kernels()[i].bindings);
  }
  EXPECT_EQ(read_kernels(write_kernels({}))->size(), 0u);
}

TEST(KernelCacheMalformed, DamageIsRefused) {
  const std::string text = write_kernels(kernels());
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const Result<std::vector<Kernel>> read = read_kernels(std::string_view(text).substr(0, cut));
    // Cut between two kernels it is a shorter list.
    if (read) EXPECT_LT(read->size(), 2u) << cut;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char flipped : {'\0', '9', '\xFF', '\n'}) {
      std::string damaged = text;
      damaged[at] = flipped;
      static_cast<void>(read_kernels(damaged));  // ends, and reads nothing beyond
    }
  }
  for (const char* bad : {"", "wisp kernels 2\n", "wisp kernels 1\n- 99999999999999999999 1\n",
                          "wisp kernels 1\n7 1 1\na\nb\n", "wisp kernels 1\n- 4294967295 18446744073709551615\na"}) {
    EXPECT_FALSE(read_kernels(bad)) << bad;
  }
}

TEST(KernelCache, IsOfADeviceAndAModel) {
  graph::Graph a, b;
  a.weights = {{.name = "w", .type = gguf::TensorType::q4_0, .columns = 64, .rows = 8, .use = {}}};
  b.weights = {{.name = "w", .type = gguf::TensorType::q4_0, .columns = 64, .rows = 16, .use = {}}};
  DeviceInfo info;
  info.driver = "1.0";
  EXPECT_NE(kernel_cache_name(info, a), kernel_cache_name(info, b));
  DeviceInfo newer = info;
  newer.driver = "1.1";
  EXPECT_NE(kernel_cache_name(info, a), kernel_cache_name(newer, a));
}

}  // namespace
}  // namespace wisp::gpu
