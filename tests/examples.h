// The example lines of a page of the documentation, run as they stand there.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/command.h"
#include "tests/test_data.h"

namespace wisp::test {

// Runs each "$ wisp ..." of docs/`page` at the root of the sources, where `folder` stands for /tmp. How many there
// were.
inline int run_examples(const std::string& page, const TemporaryFolder& folder) {
  std::ifstream manual(source_dir() / "docs" / page);
  int n = 0;
  for (std::string line; std::getline(manual, line);) {
    if (line.rfind("$ ", 0) != 0) continue;
    std::string script = line.substr(2);
    script.replace(script.find("wisp "), 4, "'" WISP_COMMAND "'");
    for (std::size_t at = 0; (at = script.find("/tmp/", at)) != std::string::npos;) {
      script.replace(at, 5, folder / "");
      at += (folder / "").size();
    }
    const int status = std::system(("cd '" WISP_SOURCE_DIR "' && " + script + " >/dev/null 2>&1").c_str());
    EXPECT_EQ(status, 0) << line;
    ++n;
  }
  return n;
}

}  // namespace wisp::test
