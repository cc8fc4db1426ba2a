#include "saved_state.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "gguf/byte_source.h"
#include "output.h"
#include "private_file.h"
#include "runtime/model_fingerprint.h"
#include "system.h"

namespace wisp::cli {
namespace {

// The bytes of a file that looks like one and can be read into memory.
Result<Buffer> read_state(gguf::ByteSource& file) {
  // Whatever it is instead, it may be of any size.
  std::array<std::byte, runtime::kSavedMagic.size()> start = {};
  if (file.size() >= start.size()) WISP_CHECK(file.read(0, start));
  if (!std::ranges::equal(start, std::as_bytes(std::span(runtime::kSavedMagic)))) {
    return fail(Code::invalid_file, "this is not a saved sequence; --save-state writes one");
  }
  // As the file has it, and as the engine wants it.
  const std::uint64_t available = system_memory().available;
  if (available != 0 && file.size() > available / 2) {
    return fail(Code::out_of_memory, "{} of a saved sequence do not fit the available memory of {}",
                format_bytes(file.size()), format_bytes(available));
  }
  WISP_TRY(Buffer bytes, Buffer::allocate(file.size(), "the saved sequence"));
  WISP_CHECK(file.read(0, bytes.bytes()));
  return bytes;
}

Result<runtime::SavedSequence> read_saved_of(gguf::ByteSource& file, const gguf::File& model) {
  WISP_TRY(const Buffer bytes, read_state(file));
  Result<runtime::SavedSequence> saved = runtime::read_saved(bytes.bytes());
  if (!saved) {
    return fail(saved.error().code, "{}; make it again with --save-state", saved.error().message);
  }
  WISP_TRY(const std::uint64_t fingerprint, runtime::model_fingerprint(model));
  WISP_CHECK(saved->check_model(fingerprint));
  return saved;
}

}  // namespace

Result<std::shared_ptr<const runtime::SavedSequence>> load_state(const std::string& path, const gguf::File& model) {
  WISP_TRY(const std::unique_ptr<gguf::ByteSource> file, gguf::open_pread(path));
  Result<runtime::SavedSequence> saved = read_saved_of(*file, model);
  if (!saved) return fail_in(saved.error(), "{}", printable(path, 400));
  return std::make_shared<const runtime::SavedSequence>(std::move(*saved));
}

Status save_state(const std::string& path, const runtime::SavedSequence& saved) {
  WISP_TRY(const std::vector<std::byte> bytes, runtime::write_saved(saved));
  return write_private_file(path, bytes);
}

}  // namespace wisp::cli
