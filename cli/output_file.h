// Files that a command writes: never the model that it reads, never left behind half-written.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gguf/reader.h"
#include "interrupt.h"

namespace wisp::cli {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePointer = std::unique_ptr<std::FILE, CloseFile>;

// Refuses `path`, the argument of `option`, where it is one of the model's own files under whatever name: writing there
// would pull the model from under its mapping.
Status refuse_model_as_output(const gguf::File& model, std::string_view option, const std::string& path);

// Creates or empties a file.
Result<FilePointer> create_file(const std::string& path);
// Closes a file of create_file(); Code::device where something was not written.
Status close_file(FilePointer file, const std::string& path);

// A result. A regular file goes away again unless it was closed, even where a signal ends the process; "-" is standard
// output.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  Status write(std::string_view bytes);
  Status close();

 private:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  FilePointer file_;
  std::unique_ptr<UnfinishedFile> unfinished_;
};

}  // namespace wisp::cli
