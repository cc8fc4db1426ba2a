// Where tests find what they compare with.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace wisp::test {

// The unpacked reference data, from the environment variable WISP_TEST_DATA; nothing when it is unset. A test that
// needs it skips without: it has to say so with GTEST_SKIP().
inline std::optional<std::filesystem::path> test_data() {
  const char* path = std::getenv("WISP_TEST_DATA");
  if (path == nullptr || *path == '\0') return std::nullopt;
  return std::filesystem::path(path);
}

// The folder of the sources: "models/wisp-stories.gguf" is always there.
inline std::filesystem::path source_dir() { return WISP_SOURCE_DIR; }

// The long form of a test was asked for: WISP_TEST_FULL=1.
inline bool full_run() {
  const char* value = std::getenv("WISP_TEST_FULL");
  return value != nullptr && std::string(value) == "1";
}

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw std::runtime_error("cannot open " + path.string());
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return bytes;
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

// A file of little-endian float32.
inline std::vector<float> read_floats(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_bytes(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

}  // namespace wisp::test
