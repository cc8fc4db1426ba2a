#include "runtime/saved_sequence.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/checked.h"
#include "base/hash64.h"
#include "base/room.h"
#include "kv/layout.h"

namespace wisp::runtime {
namespace {

// Above any model: groups are kinds of layers.
constexpr std::uint32_t kMostGroups = 64;

// Far above any text, and below what positions and lengths are counted in.
constexpr std::size_t kMostTokens = std::size_t{1} << 30;

class Writer {
 public:
  explicit Writer(std::size_t bytes) { out_.reserve(bytes); }
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

Result<SavedSequence::Group> read_group(Reader& reader) {
  SavedSequence::Group group;
  WISP_TRY(group.block_bytes, reader.take<std::uint64_t>("the size of a block"));
  WISP_TRY(const std::uint32_t n, reader.take<std::uint32_t>("the number of blocks"));
  WISP_TRY(group.indices, reader.take_all<std::uint32_t>(n, "the places of blocks"));
  const auto bytes = checked_mul<std::uint64_t>(group.block_bytes, n);
  if (!bytes) return fail(Code::invalid_file, "{} blocks of {} bytes overflow", n, group.block_bytes);
  WISP_TRY(const std::span<const std::byte> content, reader.take_bytes(*bytes, "blocks of keys and values"));
  group.bytes.assign(content.begin(), content.end());
  return group;
}

Status check_group(const SavedSequence::Group& group, std::size_t g, std::uint32_t n_positions) {
  const std::vector<std::uint32_t>& indices = group.indices;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= kv::blocks_for(n_positions) || (i > 0 && indices[i] <= indices[i - 1])) {
      return fail(Code::invalid_file, "block {} of group {} says that it is number {} of {} positions", i, g,
                  indices[i], n_positions);
    }
  }
  const auto bytes = checked_mul<std::uint64_t>(group.block_bytes, indices.size());
  if (!bytes || *bytes != group.bytes.size()) {
    return fail(Code::invalid_file, "group {} has {} bytes for {} blocks of {} bytes", g, group.bytes.size(),
                indices.size(), group.block_bytes);
  }
  return {};
}

}  // namespace

Status SavedSequence::check() const {
  if (tokens.size() > kMostTokens || n_positions > tokens.size() || groups.size() > kMostGroups) {
    return fail(Code::invalid_file, "{} positions of {} tokens in {} groups make no sense", n_positions, tokens.size(),
                groups.size());
  }
  const auto negative = std::ranges::find_if(tokens, [](TokenId token) { return token < 0; });
  if (negative != tokens.end()) {
    return fail(Code::invalid_file, "token {} of the saved sequence is {}", negative - tokens.begin(), *negative);
  }
  if (sampler.mirostat_mu && !std::isfinite(*sampler.mirostat_mu)) {
    return fail(Code::invalid_file, "the bound that Mirostat had learnt is not a number");
  }
  for (std::size_t g = 0; g < groups.size(); ++g) WISP_CHECK(check_group(groups[g], g, n_positions));
  return {};
}

Status SavedSequence::check_model(std::uint64_t fingerprint) const {
  if (model == fingerprint) return {};
  return fail(
      Code::invalid_argument,
      "the saved sequence belongs to another model (its fingerprint is {:016x}, this one's {:016x}); it goes on "
      "only with the model that it was saved with",
      model, fingerprint);
}

std::span<const std::byte> SavedSequence::block(std::size_t group, std::uint32_t index) const {
  if (group >= groups.size()) return {};
  const Group& one = groups[group];
  const auto found = std::ranges::lower_bound(one.indices, index);
  if (found == one.indices.end() || *found != index) return {};
  const auto number = static_cast<std::uint64_t>(found - one.indices.begin());
  const auto begin = checked_mul<std::uint64_t>(number, one.block_bytes);
  if (!begin || !range_fits(*begin, one.block_bytes, one.bytes.size())) return {};
  return std::span(one.bytes).subspan(static_cast<std::size_t>(*begin), static_cast<std::size_t>(one.block_bytes));
}

Result<std::vector<std::byte>> write_saved(const SavedSequence& saved) {
  WISP_CHECK(saved.check());
  constexpr std::size_t kRoomForCounts = 64;
  std::size_t size = kRoomForCounts + saved.tokens.size() * sizeof(TokenId);
  for (const SavedSequence::Group& group : saved.groups) {
    size += kRoomForCounts + group.indices.size() * sizeof(std::uint32_t) + group.bytes.size();
  }
  WISP_CHECK(check_room(size, "the saved sequence"));
  Writer writer(size);
  writer.append(std::as_bytes(std::span(kSavedMagic)));
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
  const auto magic = std::as_bytes(std::span(kSavedMagic));
  if (bytes.size() < magic.size() || !std::ranges::equal(bytes.first(magic.size()), magic)) {
    return fail(Code::invalid_file, "this is not a saved sequence: it does not begin with '{}'", kSavedMagic);
  }
  if (bytes.size() < magic.size() + sizeof(std::uint64_t)) {
    return fail(Code::invalid_file, "{} bytes are too few for a saved sequence", bytes.size());
  }
  const std::span<const std::byte> content = bytes.first(bytes.size() - sizeof(std::uint64_t));
  std::uint64_t expected = 0;
  std::memcpy(&expected, bytes.data() + content.size(), sizeof expected);
  if (hash64(content) != expected) {
    return fail(Code::invalid_file, "the saved sequence is damaged or cut short: its checksum is another");
  }
  WISP_CHECK(check_room(bytes.size(), "the saved sequence"));
  Reader reader(content);
  WISP_CHECK(reader.take_bytes(magic.size(), "the magic"));
  SavedSequence saved;
  WISP_TRY(saved.model, reader.take<std::uint64_t>("the model"));
  WISP_TRY(saved.settings, reader.take<std::uint64_t>("the settings"));
  WISP_TRY(const std::uint32_t n_tokens, reader.take<std::uint32_t>("the number of tokens"));
  WISP_TRY(saved.n_positions, reader.take<std::uint32_t>("the number of positions"));
  WISP_TRY(const std::uint32_t n_groups, reader.take<std::uint32_t>("the number of groups"));
  if (n_groups > kMostGroups) return fail(Code::invalid_file, "{} groups of layers make no sense", n_groups);
  WISP_TRY(const float mu, reader.take<float>("the state of Mirostat"));
  if (!std::isnan(mu)) saved.sampler.mirostat_mu = mu;
  WISP_TRY(saved.tokens, reader.take_all<TokenId>(n_tokens, "tokens"));
  for (std::uint32_t g = 0; g < n_groups; ++g) {
    WISP_TRY(SavedSequence::Group group, read_group(reader));
    saved.groups.push_back(std::move(group));
  }
  if (reader.at() != content.size()) {
    return fail(Code::invalid_file, "{} bytes follow the end of the saved sequence", content.size() - reader.at());
  }
  WISP_CHECK(saved.check());
  return saved;
}

}  // namespace wisp::runtime
