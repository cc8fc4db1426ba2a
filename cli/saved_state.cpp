#include "saved_state.h"

#include <vector>

#include "gguf/byte_source.h"
#include "output.h"
#include "private_file.h"

namespace wisp::cli {
Result<std::shared_ptr<const runtime::SavedSequence>> load_state(const std::string& path) {
  WISP_TRY(const std::unique_ptr<gguf::ByteSource> file, gguf::open_pread(path));
  std::vector<std::byte> bytes(static_cast<std::size_t>(file->size()));
  WISP_CHECK(file->read(0, bytes));
  Result<runtime::SavedSequence> saved = runtime::read_saved(bytes);
  if (!saved) return fail_in(saved.error(), "{}", printable(path, 400));
  return std::make_shared<const runtime::SavedSequence>(std::move(*saved));
}

Status save_state(const std::string& path, const runtime::SavedSequence& saved) {
  return write_private_file(path, runtime::write_saved(saved));
}

}  // namespace wisp::cli
