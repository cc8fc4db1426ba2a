#include "api/source.h"

#include <utility>

#include "base/checked.h"

using wisp::Code;
using wisp::fail;
using wisp::Result;
using wisp::Status;

namespace wisp::api {
namespace {

// Bytes [begin, begin + size) of what is shared.
class SharedSource final : public gguf::ByteSource {
 public:
  SharedSource(std::shared_ptr<SharedBytes> bytes, std::uint64_t begin, std::uint64_t size, std::string name)
      : bytes_(std::move(bytes)), begin_(begin), size_(size), name_(std::move(name)) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  Status read(std::uint64_t offset, std::span<std::byte> out) override {
    if (!range_fits(offset, out.size(), size_)) {
      return fail(Code::invalid_file, "bytes [{}, +{}) lie past the end ({} bytes)", offset, out.size(), size_);
    }
    if (!bytes_->takes_turns) return bytes_->source->read(begin_ + offset, out);
    if (bytes_->lock.is_mine()) return fail(Code::invalid_argument, "the model's reader called what reads through it");
    const Turn turn(bytes_->lock);
    return bytes_->source->read(begin_ + offset, out);
  }
  [[nodiscard]] std::span<const std::byte> view(std::uint64_t offset, std::uint64_t length) override {
    if (bytes_->takes_turns || !range_fits(offset, length, size_)) return {};
    return bytes_->source->view(begin_ + offset, length);
  }
  void will_need(std::uint64_t offset, std::uint64_t length) override {
    if (!bytes_->takes_turns) bytes_->source->will_need(begin_ + offset, length);
  }
  void taken_before(std::uint64_t offset) override {
    if (!bytes_->takes_turns) return bytes_->source->taken_before(begin_ + offset);
    if (bytes_->lock.is_mine()) return;
    const Turn turn(bytes_->lock);
    bytes_->source->taken_before(begin_ + offset);
  }

 private:
  std::shared_ptr<SharedBytes> bytes_;
  std::uint64_t begin_, size_;
  std::string name_;
};

// The caller's function.
class ReaderSource final : public gguf::ByteSource {
 public:
  ReaderSource(wisp_read_function read, void* context, std::uint64_t size)
      : read_(read), context_(context), size_(size) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  Status read(std::uint64_t offset, std::span<std::byte> out) override {
    if (!range_fits(offset, out.size(), size_)) {
      return fail(Code::invalid_file, "bytes [{}, +{}) lie past the end ({} bytes)", offset, out.size(), size_);
    }
    if (out.empty()) return {};
    const int status = read_(context_, offset, out.data(), out.size());
    if (status != WISP_OK) {
      const bool known = status > WISP_OK && status <= WISP_ERROR_INTERNAL;
      return fail(known ? static_cast<Code>(status - 1) : Code::io, "the caller's reader failed at bytes [{}, +{})",
                  offset, out.size());
    }
    count_read(out.size());
    return {};
  }

 private:
  wisp_read_function read_;
  void* context_;
  std::uint64_t size_;
  std::string name_ = "the model";
};

std::unique_ptr<wisp_source> source_of(std::shared_ptr<gguf::ByteSource> bytes, bool takes_turns) {
  auto made = std::make_unique<wisp_source>();
  made->bytes = std::make_shared<SharedBytes>();
  made->bytes->source = std::move(bytes);
  made->bytes->takes_turns = takes_turns;
  return made;
}

Status check_pieces(const wisp_source* source) {
  WISP_CHECK(check(source, "the source"));
  if (source->pieces == nullptr) return fail(Code::invalid_argument, "this source is not one that is fed in pieces");
  if (source->bytes->lock.is_mine()) return fail(Code::invalid_argument, "a callback called the source that calls it");
  return {};
}

}  // namespace

std::unique_ptr<gguf::ByteSource> share(std::shared_ptr<SharedBytes> bytes) {
  const gguf::ByteSource& source = *bytes->source;
  return std::make_unique<SharedSource>(std::move(bytes), 0, source.size(), source.name());
}

std::vector<std::unique_ptr<gguf::ByteSource>> share_parts(const std::shared_ptr<SharedBytes>& bytes) {
  std::vector<std::unique_ptr<gguf::ByteSource>> parts;
  if (bytes->parts.size() <= 1) {
    parts.push_back(share(bytes));
    return parts;
  }
  std::uint64_t begin = 0;
  for (const std::uint64_t size : bytes->parts) {
    std::string name = fmt::format("part {} of {}", parts.size() + 1, bytes->source->name());
    parts.push_back(std::make_unique<SharedSource>(bytes, begin, size, std::move(name)));
    begin += size;
  }
  return parts;
}

}  // namespace wisp::api

using namespace wisp::api;  // NOLINT(google-build-using-namespace): the functions below are its outer side

extern "C" {

wisp_source* wisp_source_from_file(const char* path, wisp_error* error) {
  return answer_handle(error, [&]() -> Result<std::unique_ptr<wisp_source>> {
#if defined(__wasm__)
    return fail(Code::unsupported, "a module opens no files ('{}')", path == nullptr ? "" : path);
#else
    if (path == nullptr || *path == '\0') return fail(Code::invalid_argument, "the path of the model is empty");
    auto made = std::make_unique<wisp_source>();
    made->path = path;
    return made;
#endif
  });
}

wisp_source* wisp_source_from_memory(const void* bytes, size_t size, wisp_error* error) {
  return answer_handle(error, [&]() -> Result<std::unique_ptr<wisp_source>> {
    WISP_TRY(const auto all, bytes_argument("the model's memory", bytes, size));
    return source_of(wisp::gguf::from_memory(all, "the model"), false);
  });
}

wisp_source* wisp_source_from_reader(wisp_read_function read, void* context, uint64_t size, wisp_error* error) {
  return answer_handle(error, [&]() -> Result<std::unique_ptr<wisp_source>> {
    if (read == nullptr) return fail(Code::invalid_argument, "the reader is NULL");
    return source_of(std::make_shared<ReaderSource>(read, context, size), true);
  });
}

wisp_source* wisp_source_from_pieces(uint64_t size, wisp_error* error) {
  return answer_handle(error, [&]() -> Result<std::unique_ptr<wisp_source>> {
    auto pieces = std::make_shared<wisp::gguf::StreamSource>(size, "the model");
    wisp::gguf::StreamSource* const fed = pieces.get();
    auto made = source_of(std::move(pieces), true);
    made->pieces = fed;
    made->bytes->may_forget = true;
    made->bytes->parts.push_back(size);
    return made;
  });
}

wisp_status wisp_source_add_part(wisp_source* source, uint64_t size, wisp_error* error) {
  return answer(error, [&]() -> Status {
    constexpr std::size_t kMostParts = 99'999;  // their names have five digits
    WISP_CHECK(check_pieces(source));
    if (source->bytes->opened) return fail(Code::invalid_argument, "a model has been opened without this part");
    const Turn turn(source->bytes->lock);
    if (source->bytes->parts.size() >= kMostParts) return fail(Code::limit, "a model has {} parts at most", kMostParts);
    if (!source->pieces->append(size)) {
      return fail(Code::invalid_argument, "a part of {} bytes more is past what a file can be", size);
    }
    source->bytes->parts.push_back(size);
    return {};
  });
}

wisp_status wisp_source_feed(wisp_source* source, uint64_t offset, const void* bytes, size_t count, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check_pieces(source));
    WISP_TRY(const auto piece, bytes_argument("the piece", bytes, count));
    if (!wisp::range_fits(offset, count, source->pieces->size())) return source->pieces->feed(offset, piece);
    // It may be joined to its neighbour, which takes the room of both for a moment.
    constexpr std::uint64_t kJoinRoom = std::uint64_t{4} << 20;
    WISP_CHECK(wisp::check_room(std::uint64_t{count} + kJoinRoom, "the model"));
    const Turn turn(source->bytes->lock);
    return source->pieces->feed(offset, piece);
  });
}

wisp_status wisp_source_wanted(const wisp_source* source, uint64_t* offset, uint64_t* count, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check_pieces(source));
    if (offset == nullptr || count == nullptr) return fail(Code::invalid_argument, "there is nowhere to put the range");
    const Turn turn(source->bytes->lock);
    const auto [from, length] = source->pieces->wanted();
    *offset = from;
    *count = length;
    return {};
  });
}

wisp_status wisp_source_discard(wisp_source* source, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check_pieces(source));
    const Turn turn(source->bytes->lock);
    source->pieces->discard_before(source->pieces->size());
    return {};
  });
}

wisp_status wisp_source_set_read_once(wisp_source* source, int on, wisp_error* error) {
  return answer(error, [&]() -> Status {
    WISP_CHECK(check_pieces(source));
    const Turn turn(source->bytes->lock);
    source->pieces->set_read_once(on != 0);
    return {};
  });
}

uint64_t wisp_source_bytes_held(const wisp_source* source) {
  if (!is_valid(source) || source->pieces == nullptr || source->bytes->lock.is_mine()) return 0;
  const Turn turn(source->bytes->lock);
  return source->pieces->buffered_bytes();
}

uint64_t wisp_source_bytes_read(const wisp_source* source) {
  return is_valid(source) && source->bytes ? source->bytes->source->bytes_read() : 0;
}

void wisp_source_destroy(wisp_source* source) { destroy(source); }

}  // extern "C"
