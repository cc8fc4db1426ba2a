// Which model a file holds, as a number: what was computed with one model must not be taken for another's.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gguf/reader.h"

namespace wisp::runtime {

// Of each tensor so much is read at most, in pieces from its start to its end, so that a model of many gigabytes is
// told from its fine-tunes in milliseconds.
inline constexpr std::uint64_t kFingerprintBytes = 4096;

// A hash of the header (metadata, and so RoPE, windows and the vocabulary; names, types and shapes of tensors) and of
// samples of every tensor. Against accidents, not against people: it is no proof of origin.
Result<std::uint64_t> model_fingerprint(const gguf::File& file);

}  // namespace wisp::runtime
