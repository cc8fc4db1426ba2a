// A list as text.
#pragma once

#include <string>
#include <string_view>

#include "base/format.h"

namespace wisp::cli {

template <class List>
std::string join(const List& list, std::string_view separator) {
  std::string text;
  for (const auto& item : list) text += fmt::format("{}{}", text.empty() ? std::string_view() : separator, item);
  return text;
}

}  // namespace wisp::cli
