// What is kept about devices from run to run, as files of one folder.
#pragma once

#include <string>

#include "gpu/storage.h"

namespace wisp::cli {

class FileStorage final : public gpu::Storage {
 public:
  // The folder need not be there: the first write makes it, readable by its owner only. Empty: nothing is kept.
  explicit FileStorage(std::string folder) : folder_(std::move(folder)) {}

  std::string read(std::string_view name) override;
  // Replaces the file in one step, so that two processes at once leave one of both texts.
  void write(std::string_view name, std::string_view text) override;

 private:
  std::string folder_;
};

// $XDG_CACHE_HOME/wisp, else ~/.cache/wisp; empty where there is no home.
std::string cache_folder();

}  // namespace wisp::cli
