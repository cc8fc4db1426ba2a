#include "output_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "output.h"

namespace wisp::cli {
namespace {

std::unexpected<Error> cannot_write(const std::string& path) {
  return fail(Code::device, "cannot write {}: {}", printable(path, 400), std::strerror(errno));
}

}  // namespace

Status refuse_model_as_output(const gguf::File& model, std::string_view option, const std::string& path) {
  for (const auto& source : model.sources) {
    std::error_code ignored;  // a file that is not there yet is not the model
    if (std::filesystem::equivalent(source->name(), path, ignored)) {
      return fail(Code::invalid_argument, "{} {} is the model itself", option, printable(path, 400));
    }
  }
  return {};
}

Result<FilePointer> create_file(const std::string& path) {
  FilePointer file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return fail(Code::io, "cannot create {}: {}", printable(path, 400), std::strerror(errno));
  return file;
}

Status close_file(FilePointer file, const std::string& path) {
  if (std::fflush(file.get()) != 0 || std::ferror(file.get()) != 0) return cannot_write(path);
  if (std::fclose(file.release()) != 0) return cannot_write(path);
  return {};
}

Result<OutputFile> OutputFile::create(const std::string& path) {
  OutputFile output(path);
  if (path != "-") {
    WISP_TRY(output.file_, create_file(path));
    // Never a device: as root, removing /dev/full would work.
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) output.unfinished_ = std::make_unique<UnfinishedFile>(path);
  }
  return output;
}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  file_.reset();
  std::error_code ignored;
  if (unfinished_ != nullptr) std::filesystem::remove(path_, ignored);
}

Status OutputFile::write(std::string_view bytes) {
  if (path_ == "-") return print(bytes);
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return cannot_write(path_);
  return {};
}

Status OutputFile::close() {
  if (path_ == "-") return flush_output();
  if (std::fflush(file_.get()) != 0) return cannot_write(path_);  // so that the destructor removes it
  unfinished_.reset();
  return close_file(std::move(file_), path_);
}

}  // namespace wisp::cli
