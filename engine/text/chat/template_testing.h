// The chat templates of the reference data, for tests that try them all.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/result.h"
#include "text/chat/chat_form.h"

namespace wisp::text::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// In the order of their names. `data` is the folder of the reference data.
inline std::vector<std::string> template_names(const std::filesystem::path& data) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(data / "templates")) {
    if (entry.path().extension() == ".jinja") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

inline Result<ChatForm> form_of(const std::filesystem::path& data, std::string_view name) {
  return ChatForm::create(read_text(data / "templates" / fmt::format("{}.jinja", name)), "<s>", "</s>");
}

}  // namespace wisp::text::test
