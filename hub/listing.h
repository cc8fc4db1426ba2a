// What a repository holds: which of its files are models, of which type, and which one a name means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wisp::hub {

struct RemoteFile {
  std::string path;  // in the repository; is_safe_path()
  std::uint64_t size = 0;
  std::string sha256;  // 64 hexadecimal digits in lower case; "" where it is not told
};

// One model: a file, or all parts of a split one in their order.
struct RemoteModel {
  std::string stem;  // the path without ".gguf" and without part numbers
  std::string type;  // "Q4_K_M", upper case; "" where the name tells none
  std::vector<RemoteFile> files;
  std::uint32_t parts = 1;  // that the names promise; more than files.size() where some are missing

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] bool complete() const { return files.size() == parts; }
};

struct Listing {
  std::vector<RemoteModel> models;  // largest first
  std::vector<std::string> others;  // GGUF files that are no models by themselves: projectors, importance matrices
};

inline constexpr std::size_t kMostFiles = 100'000;

// The type in a file's name: "Q4_K_M" of "dir/Model-1B.q4_k_m.gguf"; the last one where there are several; "" for none.
std::string type_in_name(std::string_view path);

// Adds a page of the answer of .../tree/REVISION?recursive=true. Code::invalid_file for what is no such answer. Files
// that are not GGUF, and paths that are not safe, are left out.
Status add_tree_page(std::string_view json, std::vector<RemoteFile>& files);

Listing group_models(std::vector<RemoteFile> files);

// The model that `selection` names: a path, a file's name, or a type, in any case. Code::not_found with what there is;
// Code::invalid_argument where it fits several. Code::invalid_file where parts are missing.
Result<const RemoteModel*> select_model(const Listing& listing, std::string_view selection);

// "Q8_0 (1.2 GiB), Q4_K_M (700 MiB)": for messages.
std::string describe_models(const Listing& listing);

}  // namespace wisp::hub
