#include "cpu/cpu_info.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/isa/tables.h"

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace wisp::cpu {

namespace {

#if defined(__linux__)
// The first value of a field of /proc/cpuinfo.
std::string proc_cpuinfo(const char* field) {
  std::FILE* file = std::fopen("/proc/cpuinfo", "r");
  if (file == nullptr) return {};
  char line[512];
  std::string found;
  while (found.empty() && std::fgets(line, sizeof line, file) != nullptr) {
    const char* colon = std::strchr(line, ':');
    if (colon == nullptr || std::strncmp(line, field, std::strlen(field)) != 0) continue;
    found = colon + 1;
    while (!found.empty() && (found.back() == '\n' || found.back() == ' ')) found.pop_back();
    found.erase(0, found.find_first_not_of(' '));
  }
  std::fclose(file);
  return found;
}

// Cores this process may use, which containers and taskset make fewer than the machine has.
int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<int>(online) : 1;
}
#endif

#if defined(__x86_64__)

struct X86Features {
  bool avx2, avx_vnni, avx512, avx512_vnni, avx512_bf16, avx512_fp16, amx_int8;
};

// What the operating system saves on a context switch: XCR0 bits for AVX (0x6), AVX-512 (0xE6) and AMX tiles (0x60000).
std::uint64_t enabled_state() {
  std::uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

X86Features detect() {
  X86Features found{};
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return found;
  const bool fma = c >> 12 & 1, osxsave = c >> 27 & 1, f16c = c >> 29 & 1;
  if (!osxsave) return found;
  const std::uint64_t state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6, zmm = (state & 0xE6) == 0xE6, tiles = (state & 0x60000) == 0x60000;
  unsigned a7 = 0, b7 = 0, c7 = 0, d7 = 0;
  if (__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7) == 0) return found;
  found.avx2 = ymm && fma && f16c && (b7 >> 5 & 1);
  // F (16), DQ (17), BW (30), VL (31)
  found.avx512 = found.avx2 && zmm && (b7 >> 16 & 1) && (b7 >> 17 & 1) && (b7 >> 30 & 1) && (b7 >> 31 & 1);
  found.avx512_vnni = found.avx512 && (c7 >> 11 & 1);
  found.avx512_fp16 = found.avx512 && (d7 >> 23 & 1);
  found.amx_int8 = tiles && (d7 >> 24 & 1) && (d7 >> 25 & 1);
  if (__get_cpuid_count(7, 1, &a7, &b7, &c7, &d7) != 0) {
    found.avx_vnni = found.avx2 && (a7 >> 4 & 1);
    found.avx512_bf16 = found.avx512 && (a7 >> 5 & 1);
  }
  return found;
}

#endif

}  // namespace

CpuInfo cpu_info() {
  CpuInfo info;
  const auto note = [&](bool present, const char* name) {
    if (present) info.features.emplace_back(name);
  };
#if defined(__linux__)
  info.logical_cores = usable_cores();
  info.model = proc_cpuinfo("model name");
#endif
#if defined(__x86_64__)
  const X86Features found = detect();
  note(found.avx2, "avx2");
  note(found.avx_vnni, "avx-vnni");
  note(found.avx512, "avx512");
  note(found.avx512_vnni, "avx512-vnni");
  note(found.avx512_bf16, "avx512-bf16");
  note(found.avx512_fp16, "avx512-fp16");
  note(found.amx_int8, "amx-int8");
  info.sets = {{&kKernelsAvx512, found.avx512_vnni, "AVX-512 F, BW, DQ, VL and VNNI"},
               {&kKernelsAvxVnni, found.avx_vnni, "AVX2, FMA, F16C and AVX-VNNI"},
               {&kKernelsAvx2, found.avx2, "AVX2, FMA and F16C"}};
#elif defined(__aarch64__)
#if defined(__linux__)
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  const bool dot = (getauxval(AT_HWCAP) & kDotProduct) != 0;
#else
  const bool dot = true;  // every Apple processor with AArch64 that runs a current system
#endif
  note(true, "neon");
  note(dot, "dotprod");
  info.sets = {{&kKernelsNeonDot, dot, "NEON with dot products (Arm v8.2)"}, {&kKernelsNeon, true, "NEON"}};
#elif defined(__wasm__)
  note(true, "simd128");
  info.sets = {{&kKernelsWasm, true, "wasm SIMD128"}};
#endif
  return info;
}

Result<const Kernels*> choose_kernels(const std::string& wanted, std::string* why) {
  const CpuInfo info = cpu_info();
  std::string name = wanted;
  const char* origin = "asked for";
#if !defined(__wasm__)
  if (const char* forced = std::getenv("WISP_CPU"); name.empty() && forced != nullptr && *forced != '\0') {
    name = forced;
    origin = "forced by WISP_CPU";
  }
#endif
  std::string usable, known;
  bool is_known = name.empty();
  for (const KernelSet& set : info.sets) {
    is_known |= name == set.kernels->name;
    known += known.empty() ? set.kernels->name : fmt::format(", {}", set.kernels->name);
    if (!set.runs_here) continue;
    if (name.empty() || name == set.kernels->name) {
      if (why != nullptr) {
        *why = name.empty() ? fmt::format("the fastest that runs here; needs {}", set.requires_) : std::string(origin);
      }
      return set.kernels;
    }
    usable += usable.empty() ? set.kernels->name : fmt::format(", {}", set.kernels->name);
  }
  if (usable.empty()) {
    return fail(Code::device,
                "this processor has none of the instruction sets that wisp has kernels for (the least is {})",
                info.sets.empty() ? std::string("none in this build") : info.sets.back().requires_);
  }
  if (!is_known) {
    return fail(Code::invalid_argument, "there is no kernel set '{}' ({}); this build has: {}", printable(name), origin,
                known);
  }
  return fail(Code::device, "kernel set '{}' ({}) does not run here; those that do: {}", printable(name), origin,
              usable);
}

}  // namespace wisp::cpu
