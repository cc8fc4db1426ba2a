#include "text/vocabulary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/log.h"
#include "text/pretokenizer.h"

namespace wisp::text {
namespace {

// Texts that end a generation in the model families that use them, whether or not the file names their ids. Some files
// carry them as ordinary tokens (Qwen 2's "</s>", Phi-3's): they are made control tokens, so that no plain text gives
// one.
constexpr std::array<std::string_view, 18> kEndTexts = {
    "</s>",       "<eos>",         "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>",
    "<|im_end|>", "<|end|>",       "<|return|>",    "<|call|>",        "<EOT>",      "[EOT]",
    "[EOS]",      "<end_of_turn>", "<turn|>",       "<|endofturn|>",   "<|eot|>",    "<end_of_utterance>",
};

struct Reader {
  const gguf::Metadata& metadata;

  // An array of strings of any length.
  Result<std::vector<std::string>> strings(std::string_view key) const {
    WISP_TRY(const gguf::Array* const array, metadata.array(key));
    if (array->element != gguf::ValueType::string) {
      return fail(Code::invalid_file, "metadata key '{}' is an array of {}, expected strings", key,
                  gguf::value_type_name(array->element));
    }
    return array->strings;
  }

  Result<std::vector<float>> scores(std::size_t n_tokens) const {
    constexpr std::string_view key = "tokenizer.ggml.scores";
    if (!metadata.has(key)) return std::vector<float>{};
    WISP_TRY(const gguf::Array* const array, metadata.array(key));
    WISP_CHECK(same_length(key, array->size(), n_tokens));
    if (array->floats.size() != n_tokens) {
      return fail(Code::invalid_file, "metadata key '{}' is an array of {}, expected floats", key,
                  gguf::value_type_name(array->element));
    }
    std::vector<float> scores(array->floats.begin(), array->floats.end());
    const auto bad = std::ranges::find_if(scores, [](float score) { return std::isnan(score); });
    if (bad != scores.end()) {
      return fail(Code::invalid_file, "metadata key '{}': the score of token {} is not a number", key,
                  bad - scores.begin());
    }
    return scores;
  }

  Result<std::vector<TokenKind>> kinds(std::size_t n_tokens) const {
    constexpr std::string_view key = "tokenizer.ggml.token_type";
    std::vector<TokenKind> kinds(n_tokens, TokenKind::normal);
    if (!metadata.has(key)) return kinds;
    WISP_TRY(const gguf::Array* const array, metadata.array(key));
    WISP_CHECK(same_length(key, array->size(), n_tokens));
    if (array->integers.size() != n_tokens) {
      return fail(Code::invalid_file, "metadata key '{}' is an array of {}, expected integers", key,
                  gguf::value_type_name(array->element));
    }
    for (std::size_t i = 0; i < n_tokens; ++i) {
      const std::int64_t kind = array->integers[i];
      if (kind < 0 || kind > 6) {
        return fail(Code::invalid_file, "metadata key '{}': token {} has type {}, expected 0 to 6", key, i, kind);
      }
      if (kind != 0) kinds[i] = static_cast<TokenKind>(kind);  // 0 is "undefined": an ordinary token
    }
    return kinds;
  }

  // `otherwise` where the key is missing; nothing, with a warning, where the id is outside the vocabulary.
  Result<std::optional<TokenId>> special_id(std::string_view key, std::size_t n_tokens,
                                            std::optional<TokenId> otherwise = std::nullopt) const {
    if (!metadata.has(key)) return otherwise;
    WISP_TRY(const std::uint64_t id, metadata.unsigned_integer(key));
    if (id < n_tokens) return static_cast<TokenId>(id);
    log_warning("metadata key '{}' is {}, but the vocabulary has {} tokens; ignored", key, id, n_tokens);
    return std::nullopt;
  }

 private:
  static Status same_length(std::string_view key, std::size_t size, std::size_t n_tokens) {
    if (size == n_tokens) return {};
    return fail(Code::invalid_file, "metadata key '{}' has {} entries, but there are {} tokens", key, size, n_tokens);
  }
};

Status check_total_bytes(std::string_view key, const std::vector<std::string>& texts) {
  std::uint64_t bytes = texts.size();  // each text is in memory: the sum cannot wrap
  for (const std::string& text : texts) bytes += text.size();
  if (bytes <= kMaxVocabularyBytes) return {};
  return fail(Code::limit, "metadata key '{}' holds {}; the limit is {}", key, format_bytes(bytes),
              format_bytes(kMaxVocabularyBytes));
}

Status read_tokens(const Reader& reader, Vocabulary& vocabulary) {
  WISP_TRY(vocabulary.tokens, reader.strings("tokenizer.ggml.tokens"));
  if (vocabulary.tokens.empty()) return fail(Code::invalid_file, "metadata key 'tokenizer.ggml.tokens' is empty");
  WISP_CHECK(check_total_bytes("tokenizer.ggml.tokens", vocabulary.tokens));
  WISP_TRY(vocabulary.scores, reader.scores(vocabulary.tokens.size()));
  WISP_TRY(vocabulary.kinds, reader.kinds(vocabulary.tokens.size()));
  return {};
}

Status read_merges(const Reader& reader, Vocabulary& vocabulary) {
  constexpr std::string_view key = "tokenizer.ggml.merges";
  WISP_TRY(vocabulary.merges, reader.strings(key));
  WISP_CHECK(check_total_bytes(key, vocabulary.merges));
  for (std::size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string& merge = vocabulary.merges[i];
    const std::size_t space = merge.find(' ', 1);  // a left part may start with a space itself
    if (space == std::string::npos || space + 1 == merge.size()) {
      return fail(Code::invalid_file, "metadata key '{}': entry {} is '{}', expected two parts and a space between",
                  key, i, printable(merge));
    }
  }
  return {};
}

// Old files name no kinds; byte tokens are known by their text.
void mark_byte_tokens(Vocabulary& vocabulary) {
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (byte_token_value(vocabulary.tokens[i])) vocabulary.kinds[i] = TokenKind::byte;
  }
}

// Where the file is silent, SentencePiece's usual ids hold if the tokens there are what these ids mean.
std::optional<TokenId> usual_id(const Vocabulary& vocabulary, TokenId id, TokenKind kind) {
  if (vocabulary.model != TokenizerModel::spm || id >= vocabulary.size()) return std::nullopt;
  if (vocabulary.kinds[static_cast<std::size_t>(id)] != kind) return std::nullopt;
  return id;
}

Status read_special_ids(const Reader& reader, Vocabulary& vocabulary) {
  const std::size_t n = vocabulary.tokens.size();
  WISP_TRY(vocabulary.bos,
           reader.special_id("tokenizer.ggml.bos_token_id", n, usual_id(vocabulary, 1, TokenKind::control)));
  WISP_TRY(vocabulary.eos,
           reader.special_id("tokenizer.ggml.eos_token_id", n, usual_id(vocabulary, 2, TokenKind::control)));
  WISP_TRY(vocabulary.unk,
           reader.special_id("tokenizer.ggml.unknown_token_id", n, usual_id(vocabulary, 0, TokenKind::unknown)));
  WISP_TRY(vocabulary.eot, reader.special_id("tokenizer.ggml.eot_token_id", n));
  WISP_TRY(vocabulary.sep, reader.special_id("tokenizer.ggml.seperator_token_id", n));  // the format's own spelling
  WISP_TRY(vocabulary.pad, reader.special_id("tokenizer.ggml.padding_token_id", n));
  WISP_TRY(const std::optional<TokenId> eom, reader.special_id("tokenizer.ggml.eom_token_id", n));

  std::vector<TokenId>& ends = vocabulary.end_of_generation;
  for (const std::optional<TokenId> id : {vocabulary.eos, vocabulary.eot, eom}) {
    if (id) ends.push_back(*id);
  }
  std::optional<TokenId> harmony_end;  // "<|end|>"
  bool harmony_return = false;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (std::ranges::find(kEndTexts, text) == kEndTexts.end()) continue;
    if (text == "<|end|>") harmony_end = id;
    if (text == "<|return|>") harmony_return = true;
    vocabulary.kinds[static_cast<std::size_t>(id)] = TokenKind::control;
    ends.push_back(id);
  }
  // In gpt-oss's format <|end|> only closes one of several messages of an answer; <|return|> ends it.
  if (harmony_return && harmony_end) std::erase(ends, *harmony_end);
  std::ranges::sort(ends);
  ends.erase(std::ranges::unique(ends).begin(), ends.end());
  return {};
}

// The file of phi-3 does not say it, but its tokenizer strips white space behind its special tokens.
void mark_strip_after(const Reader& reader, Vocabulary& vocabulary) {
  const Result<std::string_view> name = reader.metadata.text_or("general.name", "");
  if (!name) return;
  std::string lower(*name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  if (!lower.contains("phi-3") && !lower.contains("phi3")) return;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenKind kind = vocabulary.kinds[static_cast<std::size_t>(id)];
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(id)];
    const bool special = kind == TokenKind::control || kind == TokenKind::user_defined || kind == TokenKind::unknown;
    if (special && text != "<unk>" && text != "<s>" && text != "<|endoftext|>") vocabulary.strip_after.push_back(id);
  }
}

}  // namespace

bool Vocabulary::is_end(TokenId id) const { return std::ranges::binary_search(end_of_generation, id); }

std::optional<std::uint8_t> byte_token_value(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

Result<Vocabulary> read_vocabulary(const gguf::Metadata& metadata) {
  const Reader reader{metadata};
  Vocabulary vocabulary;
  WISP_TRY(const std::string_view model, metadata.text("tokenizer.ggml.model"));
  if (model == "llama") {
    vocabulary.model = TokenizerModel::spm;
  } else if (model == "gpt2") {
    vocabulary.model = TokenizerModel::bpe;
  } else {
    return fail(Code::unsupported, "tokenizer model '{}' is not known; known are llama (SentencePiece) and gpt2 (BPE)",
                printable(model));
  }
  const bool bpe = vocabulary.model == TokenizerModel::bpe;
  WISP_TRY(const std::string_view pre, metadata.text_or("tokenizer.ggml.pre", ""));
  vocabulary.pre = pre;
  WISP_CHECK(read_tokens(reader, vocabulary));
  if (bpe) {
    WISP_CHECK(read_merges(reader, vocabulary));
  } else if (!metadata.has("tokenizer.ggml.token_type")) {
    mark_byte_tokens(vocabulary);
  }
  WISP_CHECK(read_special_ids(reader, vocabulary));
  mark_strip_after(reader, vocabulary);

  const PretokenizerScheme* const scheme = bpe ? find_pretokenizer(vocabulary.pre) : nullptr;
  const bool default_bos = bpe ? scheme != nullptr && scheme->add_bos : true;
  WISP_TRY(vocabulary.add_bos, metadata.boolean_or("tokenizer.ggml.add_bos_token", default_bos));
  WISP_TRY(vocabulary.add_eos, metadata.boolean_or("tokenizer.ggml.add_eos_token", false));
  WISP_TRY(vocabulary.add_space_prefix, metadata.boolean_or("tokenizer.ggml.add_space_prefix", !bpe));
  WISP_TRY(vocabulary.remove_extra_whitespaces, metadata.boolean_or("tokenizer.ggml.remove_extra_whitespaces", false));
  WISP_TRY(const std::string_view chat_template, metadata.text_or("tokenizer.chat_template", ""));
  vocabulary.chat_template = chat_template;
  return vocabulary;
}

}  // namespace wisp::text
