#include "tools/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "quant/random_blocks.h"

namespace wisp::tools {

namespace {

using gguf::TensorInfo, gguf::TensorType, gguf::Value, gguf::ValueType;

// GGUF's general.file_type. A file all of one K type bears the number of its small mix.
struct FileType {
  const char* name;
  TensorType type;  // of most matrices
  std::uint32_t number;
};
constexpr std::array kFileTypes = {
    FileType{"F32", TensorType::f32, 0},    FileType{"F16", TensorType::f16, 1},
    FileType{"BF16", TensorType::bf16, 32}, FileType{"Q4_0", TensorType::q4_0, 2},
    FileType{"Q4_1", TensorType::q4_1, 3},  FileType{"Q5_0", TensorType::q5_0, 8},
    FileType{"Q5_1", TensorType::q5_1, 9},  FileType{"Q8_0", TensorType::q8_0, 7},
    FileType{"Q2_K", TensorType::q2_k, 10}, FileType{"Q3_K", TensorType::q3_k, 11},
    FileType{"Q4_K", TensorType::q4_k, 14}, FileType{"Q5_K", TensorType::q5_k, 16},
    FileType{"Q6_K", TensorType::q6_k, 18}, FileType{"Q4_K_M", TensorType::q4_k, 15},
};

std::optional<FileType> find_file_type(const std::string& name) {
  const auto* found = std::ranges::find_if(kFileTypes, [&](const FileType& entry) { return name == entry.name; });
  if (found == kFileTypes.end()) return std::nullopt;
  return *found;
}

// Q4_K_M keeps the value and down projections of these layers in Q6_K: the first and last eighth, and every third
// between.
bool gets_more_bits(std::uint32_t layer, std::uint32_t layers) {
  const std::uint32_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

// Collects the tensor table in the order in which converters write it.
class Table {
 public:
  Table(const ModelShape& shape, TensorType type) : type_(type), is_mix_(shape.type == "Q4_K_M") {}

  void norm(std::string name, std::uint64_t length) {
    tensors_.push_back({TensorInfo{.name = std::move(name), .type = TensorType::f32, .dims = {length, 1, 1, 1}}, 0.0F});
  }
  // A matrix [n_out, n_in]. Its products have the scale of its input, times `gain`. `important`: the mix spends more
  // bits.
  void matrix(std::string name, std::uint64_t n_in, std::uint64_t n_out, float gain = 1.0F, bool important = false) {
    const TensorType type = is_mix_ && important ? TensorType::q6_k : type_;
    tensors_.push_back({TensorInfo{.name = std::move(name), .type = type, .n_dims = 2, .dims = {n_in, n_out, 1, 1}},
                        gain / std::sqrt(static_cast<float>(n_in))});
  }
  std::vector<RandomTensor> take() { return std::move(tensors_); }

 private:
  TensorType type_;
  bool is_mix_;
  std::vector<RandomTensor> tensors_;
};

Status check_shape(const ModelShape& shape, TensorType type) {
  const std::uint32_t block = gguf::tensor_type_info(type).block_elements;
  const std::uint64_t d_heads = std::uint64_t{shape.heads} * shape.head_dim;
  if (shape.layers == 0 || shape.d_model == 0 || shape.d_ff == 0 || shape.heads == 0 || shape.kv_heads == 0 ||
      shape.head_dim == 0 || shape.context == 0) {
    return fail(Code::invalid_argument, "every size must be at least 1");
  }
  if (shape.heads % shape.kv_heads != 0) {
    return fail(Code::invalid_argument, "{} heads cannot share {} KV heads evenly", shape.heads, shape.kv_heads);
  }
  if (shape.head_dim % 2 != 0) return fail(Code::invalid_argument, "the head size {} is odd", shape.head_dim);
  for (const std::uint64_t row : {std::uint64_t{shape.d_model}, std::uint64_t{shape.d_ff}, d_heads}) {
    if (row % block != 0) {
      return fail(Code::invalid_argument, "rows of {} are not whole blocks of {} elements, as {} needs", row, block,
                  shape.type);
    }
  }
  return {};
}

constexpr std::uint32_t kSpecialTokens = 3 + 256;  // <unk>, <s>, </s>, and one for each byte
constexpr std::uint32_t kLeastVocabulary = kSpecialTokens + 27;

// Pieces of text as SentencePiece would learn them: the word boundary U+2581 and the letters, then unions of two
// earlier pieces, so that each can be reached by merging.
std::vector<std::string> random_pieces(std::size_t count, quant::Random& random) {
  constexpr std::string_view kBoundary = "\u2581";
  constexpr std::size_t kLongestPiece = 16;
  std::vector<std::string> pieces = {std::string(kBoundary)};
  for (char letter = 'a'; letter <= 'z'; ++letter) pieces.emplace_back(1, letter);
  std::unordered_set<std::string> known(pieces.begin(), pieces.end());
  while (pieces.size() < count) {
    const std::string& left = pieces[random.below(pieces.size())];
    const std::string& right = pieces[random.below(pieces.size())];
    if (right.starts_with(kBoundary) || left.size() + right.size() > kLongestPiece) continue;
    std::string joined = left + right;
    if (known.insert(joined).second) pieces.push_back(std::move(joined));
  }
  return pieces;
}

void add_vocabulary(gguf::Metadata& metadata, const ModelShape& shape) {
  constexpr std::int64_t kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6;
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int64_t> kinds = {kUnknown, kControl, kControl};
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(fmt::format("<0x{:02X}>", byte));
  kinds.resize(tokens.size(), kByte);
  std::vector<double> scores(tokens.size(), 0.0);
  quant::Random random(shape.seed ^ 0x766F636162u);
  for (std::string& piece : random_pieces(shape.vocab - kSpecialTokens, random)) {
    tokens.push_back(std::move(piece));
    kinds.push_back(kNormal);
    scores.push_back(-static_cast<double>(scores.size() - kSpecialTokens));  // earlier is better
  }
  metadata.set("tokenizer.ggml.model", Value::text("llama"));
  metadata.set("tokenizer.ggml.pre", Value::text("default"));
  metadata.set("tokenizer.ggml.tokens", Value::strings(std::move(tokens)));
  metadata.set("tokenizer.ggml.scores", Value::floats(ValueType::f32, std::move(scores)));
  metadata.set("tokenizer.ggml.token_type", Value::integers(ValueType::i32, std::move(kinds)));
  metadata.set("tokenizer.ggml.unknown_token_id", Value::u32(0));
  metadata.set("tokenizer.ggml.bos_token_id", Value::u32(1));
  metadata.set("tokenizer.ggml.eos_token_id", Value::u32(2));
  metadata.set("tokenizer.ggml.add_bos_token", Value::boolean(true));
}

// As gguf-split writes it: only the first part says what the model is.
gguf::Metadata metadata_of(const ModelShape& shape, Part part, std::size_t tensors) {
  gguf::Metadata metadata = part.index == 0 ? random_metadata(shape) : gguf::Metadata();
  if (part.count == 1) return metadata;
  metadata.set("split.no", Value{ValueType::u16, std::uint64_t{part.index}});
  metadata.set("split.count", Value{ValueType::u16, std::uint64_t{part.count}});
  metadata.set("split.tensors.count", Value::i32(static_cast<std::int32_t>(tensors)));
  return metadata;
}

// About a mebibyte, in whole blocks.
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

Status write_tensor(const RandomTensor& tensor, quant::Random random, gguf::Writer& writer) {
  const gguf::TensorTypeInfo& type = gguf::tensor_type_info(tensor.info.type);
  std::uint64_t blocks_left = tensor.info.elements() / type.block_elements;
  std::vector<std::byte> chunk(kChunkBytes / type.block_bytes * type.block_bytes);
  if (tensor.deviation == 0.0F) {
    constexpr float kOne = 1.0F;
    for (std::size_t at = 0; at < chunk.size(); at += sizeof(kOne)) std::memcpy(&chunk[at], &kOne, sizeof(kOne));
  }
  while (blocks_left > 0) {
    const std::uint64_t blocks = std::min<std::uint64_t>(blocks_left, chunk.size() / type.block_bytes);
    const std::span<std::byte> part = std::span(chunk).first(static_cast<std::size_t>(blocks) * type.block_bytes);
    if (tensor.deviation != 0.0F) quant::random_blocks(tensor.info.type, tensor.deviation, random, part);
    WISP_CHECK(writer.write_tensor_data(part));
    blocks_left -= blocks;
  }
  return {};
}

}  // namespace

Result<ModelShape> preset(const std::string& name) {
  if (name == "8b") {
    return ModelShape{.layers = 32,
                      .d_model = 4096,
                      .d_ff = 14336,
                      .heads = 32,
                      .kv_heads = 8,
                      .head_dim = 128,
                      .vocab = 128256,
                      .context = 131072};
  }
  if (name == "1b") {
    return ModelShape{.layers = 16,
                      .d_model = 2048,
                      .d_ff = 8192,
                      .heads = 32,
                      .kv_heads = 8,
                      .head_dim = 64,
                      .vocab = 32000,
                      .context = 8192};
  }
  if (name == "125m") {
    return ModelShape{.layers = 12,
                      .d_model = 768,
                      .d_ff = 3072,
                      .heads = 12,
                      .kv_heads = 12,
                      .head_dim = 64,
                      .vocab = 32000,
                      .context = 2048};
  }
  return fail(Code::invalid_argument, "preset '{}' is not known; 8b, 1b and 125m are", printable(name));
}

Result<std::vector<RandomTensor>> random_tensors(const ModelShape& shape) {
  const std::optional<FileType> file_type = find_file_type(shape.type);
  if (!file_type) {
    std::string known;
    for (const FileType& entry : kFileTypes) known += fmt::format(" {}", entry.name);
    return fail(Code::invalid_argument, "type '{}' is not known; these are:{}", printable(shape.type), known);
  }
  WISP_CHECK(check_shape(shape, file_type->type));
  if (shape.vocab < kLeastVocabulary) {
    return fail(Code::invalid_argument, "a vocabulary needs at least {} tokens", kLeastVocabulary);
  }
  const std::uint64_t d = shape.d_model;
  const std::uint64_t d_heads = std::uint64_t{shape.heads} * shape.head_dim;
  const std::uint64_t d_kv = std::uint64_t{shape.kv_heads} * shape.head_dim;
  // What the layers add to the residual stream is scaled down with their number, so that it keeps its size.
  const float gain = 1.0F / std::sqrt(2.0F * static_cast<float>(shape.layers));

  Table table(shape, file_type->type);
  if (!shape.tied) table.matrix("output.weight", d, shape.vocab, 1.0F, true);
  table.norm("output_norm.weight", d);
  table.matrix("token_embd.weight", d, shape.vocab, 1.0F, shape.tied);
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const bool important = gets_more_bits(layer, shape.layers);
    const auto name = [&](const char* part) { return fmt::format("blk.{}.{}.weight", layer, part); };
    table.norm(name("attn_norm"), d);
    table.matrix(name("attn_q"), d, d_heads);
    table.matrix(name("attn_k"), d, d_kv);
    table.matrix(name("attn_v"), d, d_kv, 1.0F, important);
    table.matrix(name("attn_output"), d_heads, d, gain);
    table.norm(name("ffn_norm"), d);
    table.matrix(name("ffn_gate"), d, shape.d_ff);
    table.matrix(name("ffn_up"), d, shape.d_ff);
    table.matrix(name("ffn_down"), shape.d_ff, d, gain, important);
  }
  return table.take();
}

gguf::Metadata random_metadata(const ModelShape& shape) {
  gguf::Metadata metadata;
  const std::optional<FileType> file_type = find_file_type(shape.type);
  metadata.set("general.architecture", Value::text("llama"));
  metadata.set("general.name", Value::text("random weights"));
  metadata.set("general.file_type", Value::u32(file_type ? file_type->number : 0));
  metadata.set("general.quantization_version", Value::u32(2));
  metadata.set("llama.vocab_size", Value::u32(shape.vocab));
  metadata.set("llama.context_length", Value::u32(shape.context));
  metadata.set("llama.embedding_length", Value::u32(shape.d_model));
  metadata.set("llama.block_count", Value::u32(shape.layers));
  metadata.set("llama.feed_forward_length", Value::u32(shape.d_ff));
  metadata.set("llama.attention.head_count", Value::u32(shape.heads));
  metadata.set("llama.attention.head_count_kv", Value::u32(shape.kv_heads));
  metadata.set("llama.attention.key_length", Value::u32(shape.head_dim));
  metadata.set("llama.attention.value_length", Value::u32(shape.head_dim));
  metadata.set("llama.attention.layer_norm_rms_epsilon", Value::f32(1e-5F));
  metadata.set("llama.rope.dimension_count", Value::u32(shape.head_dim));
  metadata.set("llama.rope.freq_base", Value::f32(10000.0F));
  add_vocabulary(metadata, shape);
  return metadata;
}

Status write_random_model(const ModelShape& shape, const gguf::ByteSink& sink,
                          const std::function<void(double)>& progress, Part part) {
  WISP_TRY(const std::vector<RandomTensor> tensors, random_tensors(shape));
  if (part.count > tensors.size() || part.index >= part.count) {
    return fail(Code::invalid_argument, "{} tensors cannot be split into {} parts", tensors.size(), part.count);
  }
  const std::size_t begin = tensors.size() * part.index / part.count;
  const std::size_t end = tensors.size() * (part.index + 1) / part.count;
  std::vector<TensorInfo> table;
  for (std::size_t i = begin; i < end; ++i) table.push_back(tensors[i].info);
  gguf::Writer writer(sink);
  WISP_CHECK(writer.begin(metadata_of(shape, part, tensors.size()), table));
  for (std::size_t i = begin; i < end; ++i) {
    WISP_CHECK(write_tensor(tensors[i], quant::Random(shape.seed * 0x9E3779B97F4A7C15u + i), writer));
    progress(static_cast<double>(i + 1) / static_cast<double>(tensors.size()));
  }
  return writer.finish();
}

}  // namespace wisp::tools
