#include "gpu/kernels/attention_ways.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/half.h"
#include "gpu/program.h"
#include "gpu/step_writer.h"
#include "graph/scalar_attention.h"
#include "quant/random_blocks.h"

namespace wisp::gpu {
namespace {

using graph::KvType;
using graph::scalar::KvPart;

constexpr std::uint32_t kBlocks = kTuningPositions / graph::kKvBlock;
constexpr float kSoftcap = 30.0f;
// Sums in another order, and exp() of a device.
constexpr float kTolerance = 1e-3f;

// Buffers of the task: keys in both orders, values.
enum Buffer : std::size_t { keys_by_word, keys_by_position, values };

class TaskMaker {
 public:
  TaskMaker(const AttentionSpec& spec, const DeviceInfo& info) : spec_(spec), info_(info) {
    graph_.kv.groups = {graph::KvGroup{}};
    graph_.kv.layers = {{0, spec.kv_heads, spec.head_dim}};
    op_.layer = 0;
    op_.heads = spec.kv_heads * spec.queries;
    op_.scale = 1.0f / std::sqrt(static_cast<float>(spec.head_dim));
    op_.softcap = spec.softcap ? kSoftcap : 0.0f;
    graph_.ops = {op_};
  }

  Result<TuningTask> make(bool with_content) {
    task_.tolerance = kTolerance;
    write_step();
    const std::uint32_t width = op_.heads * spec_.head_dim;
    input_ = {.q = 0, .blocks = kBlocks, .scale = op_.scale, .softcap = op_.softcap};
    task_.output = width;
    task_.output_words = width;
    scratch_ = 2 * width;
    const std::uint32_t most = std::max(kTuningPositions, div_up(kTuningPositions, kSplit) * (spec_.head_dim + 2));
    if (with_content) {
      task_.arena.resize(scratch_ + std::size_t{op_.heads} * most, std::numeric_limits<float>::quiet_NaN());
      WISP_CHECK(fill());
    }
    for (const AttentionWay& way : kAttentionWays) WISP_CHECK(add(way));
    return std::move(task_);
  }

 private:
  void write_step() {
    StepWriter writer;
    writer.prepare(graph_);
    SlotRing slots;
    const std::array<std::int32_t, 1> token = {}, position = {kTuningPositions - 1}, sequence = {};
    const std::span<const std::int32_t> table = table_;
    const graph::StepInputs inputs{.tokens = token,
                                   .positions = position,
                                   .sequences = sequence,
                                   .logit_rows = {},
                                   .tables = {&table, 1},
                                   .n_sequences = 1,
                                   .copies = {}};
    const std::span<const std::uint32_t> words = writer.write(graph_, inputs, {}, slots);
    task_.step.assign(words.begin(), words.end());
    counts_ = writer.counts();
  }

  // One head at one position: random values as the type stores them, on the device and for the reference.
  void store(KvPart part, std::uint32_t position, std::uint32_t head, quant::Random& random) {
    const std::uint32_t block = position / graph::kKvBlock, slot = position % graph::kKvBlock;
    const KvEntry entry = kv_entry(spec_.kv_type, spec_.head_dim);
    std::vector<float> numbers(spec_.head_dim);
    std::vector<std::uint32_t> words(entry.words);
    for (std::uint32_t i = 0; i < spec_.head_dim; ++i) {
      std::uint32_t& word = words[i / entry.values];
      switch (spec_.kv_type) {
        case KvType::f32:
          numbers[i] = random.uniform();
          word = std::bit_cast<std::uint32_t>(numbers[i]);
          break;
        case KvType::f16: {
          const std::uint16_t half = f16_from_f32(random.uniform());
          numbers[i] = f32_from_f16(half);
          word |= std::uint32_t{half} << (16 * (i % 2));
          break;
        }
        case KvType::q8_0: {
          const auto quant = static_cast<std::int32_t>(random.below(255)) - 127;
          numbers[i] = kScale * static_cast<float>(quant);
          word |= (static_cast<std::uint32_t>(quant) & 255u) << (8 * (i % 4));
        }
      }
    }
    const auto put = [&](Buffer buffer, std::uint64_t word, std::uint32_t value) {
      images_[buffer][static_cast<std::size_t>(word)] = value;
    };
    for (std::uint32_t w = 0; w < entry.words; ++w) {
      const std::uint64_t by_position =
          kv_word(block, spec_.kv_heads, head, slot, w, entry.words, KeyOrder::by_position);
      if (part == KvPart::value) {
        put(values, by_position, words[w]);
        continue;
      }
      put(keys_by_position, by_position, words[w]);
      put(keys_by_word, kv_word(block, spec_.kv_heads, head, slot, w, entry.words, KeyOrder::by_word), words[w]);
    }
    reference_.write(0, part, static_cast<std::int32_t>(block), slot, head, numbers);
  }

  Status fill() {
    quant::Random random(1);
    const graph::KvLayer& layer = graph_.kv.layers[0];
    const auto words = static_cast<std::size_t>(kBlocks * kv_block_words(spec_.kv_type, layer));
    const auto scales = static_cast<std::size_t>(kBlocks * kv_block_scales(spec_.kv_type, layer));
    for (std::vector<std::uint32_t>& image : images_) {
      image.resize(words);
      image.resize(words + scales, std::bit_cast<std::uint32_t>(kScale));
    }
    const std::array blocks = {kBlocks};
    WISP_CHECK(reference_.allocate(graph_.kv, KvType::f32, blocks));
    for (std::uint32_t position = 0; position < kTuningPositions; ++position) {
      for (std::uint32_t head = 0; head < spec_.kv_heads; ++head) {
        for (const KvPart part : {KvPart::key, KvPart::value}) store(part, position, head, random);
      }
    }
    for (const std::vector<std::uint32_t>& image : images_) {
      const auto raw = std::as_bytes(std::span(image));
      task_.buffers.emplace_back(raw.begin(), raw.end());
    }
    const std::span<float> q = std::span(task_.arena).first(task_.output);
    for (float& value : q) value = 4.0f * random.uniform();
    task_.expected.resize(task_.output_words);
    graph::scalar::AttentionScratch scratch;
    graph::scalar::attend(op_, graph_, reference_, kTuningPositions - 1, table_, q, task_.expected, scratch);
    return {};
  }

  template <class Constants>
  Status add(TuningCandidate& candidate, Result<Kernel> kernel, const Grid& grid, const Constants& constants,
             KeyOrder keys) {
    if (!kernel) return std::unexpected(std::move(kernel).error());
    std::vector<std::size_t> buffers;
    if (!kernel->bindings.empty()) buffers = {keys == KeyOrder::by_word ? keys_by_word : keys_by_position, values};
    candidate.dispatches.push_back(
        {std::move(*kernel),
         {OpConstants::of(constants)},
         std::move(buffers),
         {workgroups(grid[0], counts_), workgroups(grid[1], counts_), workgroups(grid[2], counts_)}});
    return {};
  }

  Status add(const AttentionWay& way) {
    TuningCandidate candidate{way_name(way), {}};
    AttentionSpec spec = spec_;
    spec.keys = way.keys;
    if (way.path == AttentionPath::plain) {
      const AttentionPlainConstants plain{
          .input = input_, .scores = scratch_, .stride = kTuningPositions, .out = task_.output, .first_row = 0};
      for (const PlainPart part : {PlainPart::scores, PlainPart::softmax, PlainPart::values}) {
        WISP_CHECK(add(candidate, attention_plain_kernel(spec, part, info_), attention_plain_grid(spec, part), plain,
                       way.keys));
      }
    } else {
      const std::uint32_t splits = div_up(kTuningPositions, kSplit);
      WISP_CHECK(add(candidate, attention_kernel(spec, info_), attention_grid(spec),
                     AttentionConstants{.input = input_, .partials = scratch_, .splits = splits, .first_row = 0},
                     way.keys));
      WISP_CHECK(add(candidate, attention_join_kernel(spec, info_), attention_join_grid(spec),
                     AttentionJoinConstants{scratch_, splits, task_.output, 0}, way.keys));
    }
    task_.candidates.push_back(std::move(candidate));
    return {};
  }

  static constexpr float kScale = 0x1p-7f;  // of q8_0: an f16

  AttentionSpec spec_;
  const DeviceInfo& info_;
  graph::Graph graph_;
  graph::AttentionOp op_;
  std::vector<std::int32_t> table_ = [] {
    std::vector<std::int32_t> table(kBlocks);
    std::iota(table.begin(), table.end(), 0);
    return table;
  }();
  StepCounts counts_;
  TuningTask task_;
  AttentionInput input_;
  std::uint32_t scratch_ = 0;
  std::array<std::vector<std::uint32_t>, 3> images_;
  graph::scalar::KvStore reference_;
};

}  // namespace

std::string way_name(const AttentionWay& way) {
  return fmt::format("{}, keys by {}", way.path == AttentionPath::plain ? "plain" : "flash",
                     way.keys == KeyOrder::by_word ? "word" : "position");
}

TuningRequest attention_request(const AttentionSpec& spec, double importance, const DeviceInfo& info) {
  return {attention_key(spec), importance,
          [spec, &info](bool with_content) { return TaskMaker(spec, info).make(with_content); }};
}

}  // namespace wisp::gpu
