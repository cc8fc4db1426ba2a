// Files with saved sequences (docs/saved-sequences.md).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "gguf/reader.h"
#include "runtime/saved_sequence.h"

namespace wisp::cli {

// Before the weights are loaded: Code::invalid_file where it is not one, Code::invalid_argument where it is another
// model's, Code::io where it cannot be read.
Result<std::shared_ptr<const runtime::SavedSequence>> load_state(const std::string& path, const gguf::File& model);

// Readable by its owner only, for it holds a conversation; a file of that name is replaced once the new one is whole.
Status save_state(const std::string& path, const runtime::SavedSequence& saved);

}  // namespace wisp::cli
