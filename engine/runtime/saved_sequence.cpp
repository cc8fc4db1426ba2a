#include "runtime/saved_sequence.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/checked.h"
#include "base/hash64.h"
#include "kv/layout.h"

namespace wisp::runtime {
namespace {

constexpr std::string_view kMagic = "wispseq1";
// Above any model: groups are kinds of layers.
constexpr std::uint32_t kMostGroups = 64;

class Writer {
 public:
  template <class Number>
  void put(Number value) {
    append(std::as_bytes(std::span(&value, 1)));
  }
  void append(std::span<const std::byte> bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  std::vector<std::byte> finish() {
    put(hash64(out_));
    return std::move(out_);
  }

 private:
  std::vector<std::byte> out_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : all_(bytes) {}

  template <class Number>
  Result<Number> take(std::string_view what) {
    WISP_TRY(const std::span<const std::byte> bytes, take_bytes(sizeof(Number), what));
    Number value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  Result<std::span<const std::byte>> take_bytes(std::uint64_t n, std::string_view what) {
    if (n > all_.size() - at_) {
      return fail(Code::invalid_file, "{} would need {} bytes at {}, and the file has {}", what, n, at_, all_.size());
    }
    const auto bytes = all_.subspan(at_, static_cast<std::size_t>(n));
    at_ += bytes.size();
    return bytes;
  }
  template <class Number>
  Result<std::vector<Number>> take_all(std::uint32_t n, std::string_view what) {
    WISP_TRY(const std::span<const std::byte> bytes, take_bytes(std::uint64_t{n} * sizeof(Number), what));
    std::vector<Number> values(n);
    if (n > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  std::span<const std::byte> all_;
  std::size_t at_ = 0;
};

Result<SavedSequence::Group> read_group(Reader& reader, std::uint32_t n_positions) {
  SavedSequence::Group group;
  WISP_TRY(group.block_bytes, reader.take<std::uint64_t>("the size of a block"));
  WISP_TRY(const std::uint32_t n, reader.take<std::uint32_t>("the number of blocks"));
  WISP_TRY(group.indices, reader.take_all<std::uint32_t>(n, "the places of blocks"));
  const auto out_of_place = [&](std::size_t i) {
    return group.indices[i] >= kv::blocks_for(n_positions) || (i > 0 && group.indices[i] <= group.indices[i - 1]);
  };
  for (std::size_t i = 0; i < n; ++i) {
    if (out_of_place(i)) {
      return fail(Code::invalid_file, "block {} says that it is number {} of {} positions", i, group.indices[i],
                  n_positions);
    }
  }
  const auto bytes = checked_mul<std::uint64_t>(group.block_bytes, n);
  if (!bytes) return fail(Code::invalid_file, "{} blocks of {} bytes overflow", n, group.block_bytes);
  WISP_TRY(const std::span<const std::byte> content, reader.take_bytes(*bytes, "blocks of keys and values"));
  group.bytes.assign(content.begin(), content.end());
  return group;
}

}  // namespace

std::span<const std::byte> SavedSequence::block(std::size_t group, std::uint32_t index) const {
  const Group& one = groups[group];
  const auto found = std::ranges::lower_bound(one.indices, index);
  if (found == one.indices.end() || *found != index) return {};
  const auto number = static_cast<std::size_t>(found - one.indices.begin());
  const auto size = static_cast<std::size_t>(one.block_bytes);
  return std::span(one.bytes).subspan(number * size, size);
}

std::uint64_t SavedSequence::hash() const {
  std::uint64_t hash = hash64(std::as_bytes(std::span(tokens)), model ^ settings ^ n_positions);
  for (const Group& group : groups) {
    hash = hash64(std::as_bytes(std::span(group.indices)), hash);
    hash = hash64(group.bytes, hash);
  }
  return hash;
}

std::vector<std::byte> write_saved(const SavedSequence& saved) {
  Writer writer;
  writer.append(std::as_bytes(std::span(kMagic)));
  writer.put(saved.model);
  writer.put(saved.settings);
  writer.put(static_cast<std::uint32_t>(saved.tokens.size()));
  writer.put(saved.n_positions);
  writer.put(static_cast<std::uint32_t>(saved.groups.size()));
  writer.put(saved.sampler.mirostat_mu.value_or(std::numeric_limits<float>::quiet_NaN()));
  writer.append(std::as_bytes(std::span(saved.tokens)));
  for (const SavedSequence::Group& group : saved.groups) {
    writer.put(group.block_bytes);
    writer.put(static_cast<std::uint32_t>(group.indices.size()));
    writer.append(std::as_bytes(std::span(group.indices)));
    writer.append(group.bytes);
  }
  return writer.finish();
}

Result<SavedSequence> read_saved(std::span<const std::byte> bytes) {
  const auto magic = std::as_bytes(std::span(kMagic));
  if (bytes.size() < magic.size() || !std::ranges::equal(bytes.first(magic.size()), magic)) {
    return fail(Code::invalid_file, "this is not a saved sequence: it does not begin with '{}'", kMagic);
  }
  if (bytes.size() < magic.size() + sizeof(std::uint64_t)) {
    return fail(Code::invalid_file, "{} bytes are too few for a saved sequence", bytes.size());
  }
  const std::span<const std::byte> content = bytes.first(bytes.size() - sizeof(std::uint64_t));
  std::uint64_t expected = 0;
  std::memcpy(&expected, bytes.data() + content.size(), sizeof expected);
  if (hash64(content) != expected) {
    return fail(Code::invalid_file, "the saved sequence is damaged: its checksum is another");
  }
  Reader reader(content);
  WISP_CHECK(reader.take_bytes(magic.size(), "the magic"));
  SavedSequence saved;
  WISP_TRY(saved.model, reader.take<std::uint64_t>("the model"));
  WISP_TRY(saved.settings, reader.take<std::uint64_t>("the settings"));
  WISP_TRY(const std::uint32_t n_tokens, reader.take<std::uint32_t>("the number of tokens"));
  WISP_TRY(saved.n_positions, reader.take<std::uint32_t>("the number of positions"));
  WISP_TRY(const std::uint32_t n_groups, reader.take<std::uint32_t>("the number of groups"));
  if (saved.n_positions > n_tokens || n_groups > kMostGroups) {
    return fail(Code::invalid_file, "{} positions of {} tokens in {} groups make no sense", saved.n_positions, n_tokens,
                n_groups);
  }
  WISP_TRY(const float mu, reader.take<float>("the state of Mirostat"));
  if (!std::isnan(mu)) saved.sampler.mirostat_mu = mu;
  WISP_TRY(saved.tokens, reader.take_all<TokenId>(n_tokens, "tokens"));
  for (std::uint32_t g = 0; g < n_groups; ++g) {
    WISP_TRY(SavedSequence::Group group, read_group(reader, saved.n_positions));
    saved.groups.push_back(std::move(group));
  }
  if (reader.at() != content.size()) {
    return fail(Code::invalid_file, "{} bytes follow the end of the saved sequence", content.size() - reader.at());
  }
  return saved;
}

}  // namespace wisp::runtime
