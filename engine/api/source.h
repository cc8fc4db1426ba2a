// A wisp_source, and how one file serves several models and engines.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/handle.h"
#include "api/turn_lock.h"
#include "gguf/reader.h"

namespace wisp::api {

// Bytes that several owners read, each as if they were its own; one at a time where `takes_turns`.
struct SharedBytes {
  std::shared_ptr<gguf::ByteSource> source;
  bool takes_turns = false;
  bool may_forget = false;           // it is fed, and what was read once may be gone later
  std::vector<std::uint64_t> parts;  // sizes of the files that lie in `source` one behind the other; empty: one
  bool opened = false;               // by a model: no part comes any more
  TurnLock lock;
};

// A view of all of it.
std::unique_ptr<gguf::ByteSource> share(std::shared_ptr<SharedBytes> bytes);
// A view of each part.
std::vector<std::unique_ptr<gguf::ByteSource>> share_parts(const std::shared_ptr<SharedBytes>& bytes);

}  // namespace wisp::api

struct wisp_source : wisp::api::Tagged<wisp::api::Tag::source> {
  std::string path;                               // where it is a file
  std::shared_ptr<wisp::api::SharedBytes> bytes;  // where it is not
  wisp::gguf::StreamSource* pieces = nullptr;     // bytes->source, where it is fed
};
