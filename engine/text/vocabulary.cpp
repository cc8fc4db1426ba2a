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
// one. The last ones are ends of files in models for code.
constexpr std::array<std::string_view, 34> kEndTexts = {
    "</s>",
    "<eos>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<end_of_turn>",
    "<turn|>",
    "<|tool_response>",
    "<|endofturn|>",
    "<|eot|>",
    "<end_of_utterance>",
    "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
    "[e~[",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
};
// Texts around a place to fill in: control tokens too, but no ends.
constexpr std::array<std::string_view, 24> kFillTexts = {
    "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",    "<\uFF5Cfim\u2581begin\uFF5C>",
    "<PRE>",          "\u2581<PRE>",  "<|code_prefix|>", "<|prefix|>",
    "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",    "<\uFF5Cfim\u2581hole\uFF5C>",
    "<SUF>",          "\u2581<SUF>",  "<|code_suffix|>", "<|suffix|>",
    "<|fim_middle|>", "<fim-middle>", "<fim_middle>",    "<\uFF5Cfim\u2581end\uFF5C>",
    "<MID>",          "\u2581<MID>",  "<|code_middle|>", "<|middle|>",
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
    if (array->floats.size() != n_tokens && array->integers.size() != n_tokens) {
      return fail(Code::invalid_file, "metadata key '{}' is an array of {}, expected numbers", key,
                  gguf::value_type_name(array->element));
    }
    std::vector<float> scores(array->floats.begin(), array->floats.end());
    for (const std::int64_t score : array->integers) scores.push_back(static_cast<float>(score));
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

  // An array of bytes, signed or not; "" where the key is missing.
  Result<std::string> bytes(std::string_view key) const {
    std::string bytes;
    if (!metadata.has(key)) return bytes;
    WISP_TRY(const gguf::Array* const array, metadata.array(key));
    if (array->element != gguf::ValueType::u8 && array->element != gguf::ValueType::i8) {
      return fail(Code::invalid_file, "metadata key '{}' is an array of {}, expected bytes", key,
                  gguf::value_type_name(array->element));
    }
    for (const std::int64_t byte : array->integers) bytes += static_cast<char>(byte);
    return bytes;
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
  // Files of Kimi K2 may come without.
  if (vocabulary.pre == "kimi-k2" && !reader.metadata.has(key)) return {};
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

// The ids that a family of vocabularies has where the file is silent.
struct UsualIds {
  TokenId bos = -1, eos = -1, unk = -1, sep = -1;
};
UsualIds usual_ids(TokenizerModel model) {
  switch (model) {
    case TokenizerModel::spm: return {.bos = 1, .eos = 2, .unk = 0};
    case TokenizerModel::wpm: return {.bos = 101, .unk = 100, .sep = 102};
    case TokenizerModel::unigram: return {.eos = 1, .unk = 2};
    case TokenizerModel::bpe:
    case TokenizerModel::rwkv: break;
  }
  return {};
}

// They hold if the tokens there are what these ids mean.
std::optional<TokenId> if_control(const Vocabulary& vocabulary, TokenId id) {
  if (id < 0 || id >= vocabulary.size()) return std::nullopt;
  const TokenKind kind = vocabulary.kinds[static_cast<std::size_t>(id)];
  return kind == TokenKind::control || kind == TokenKind::unknown ? std::optional(id) : std::nullopt;
}

Status read_special_ids(const Reader& reader, Vocabulary& vocabulary) {
  const std::size_t n = vocabulary.tokens.size();
  const UsualIds usual = usual_ids(vocabulary.model);
  const auto special_id = [&](std::string_view key, TokenId id) {
    return reader.special_id(key, n, if_control(vocabulary, id));
  };
  WISP_TRY(vocabulary.bos, special_id("tokenizer.ggml.bos_token_id", usual.bos));
  WISP_TRY(vocabulary.eos, special_id("tokenizer.ggml.eos_token_id", usual.eos));
  WISP_TRY(vocabulary.unk, special_id("tokenizer.ggml.unknown_token_id", usual.unk));
  WISP_TRY(vocabulary.sep, special_id("tokenizer.ggml.seperator_token_id", usual.sep));  // the format's own spelling
  WISP_TRY(vocabulary.eot, reader.special_id("tokenizer.ggml.eot_token_id", n));
  WISP_TRY(vocabulary.pad, reader.special_id("tokenizer.ggml.padding_token_id", n));
  WISP_TRY(const std::optional<TokenId> eom, reader.special_id("tokenizer.ggml.eom_token_id", n));

  std::vector<TokenId>& ends = vocabulary.end_of_generation;
  for (const std::optional<TokenId> id : {vocabulary.eos, vocabulary.eot, eom}) {
    if (id) ends.push_back(*id);
  }
  std::optional<TokenId> message_end, tag_end;  // "<|end|>", "</s>"
  bool harmony = false, gemma4 = false;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(id)];
    const bool is_end = std::ranges::find(kEndTexts, text) != kEndTexts.end();
    if (!is_end && std::ranges::find(kFillTexts, text) == kFillTexts.end()) continue;
    vocabulary.kinds[static_cast<std::size_t>(id)] = TokenKind::control;
    if (!is_end) continue;
    if (text == "<|end|>") message_end = id;
    if (text == "</s>") tag_end = id;
    if (text == "<|return|>" || text == "<|flush|>") harmony = true;
    if (text == "<|tool_response>") gemma4 = true;
    ends.push_back(id);
  }
  // In the formats of gpt-oss and Solar <|end|> only closes one of several messages of an answer.
  if (harmony && message_end) std::erase(ends, *message_end);
  // In Gemma 4's vocabulary </s> is HTML.
  if (gemma4 && tag_end) {
    std::erase(ends, *tag_end);
    vocabulary.kinds[static_cast<std::size_t>(*tag_end)] = TokenKind::normal;
  }
  std::ranges::sort(ends);
  ends.erase(std::ranges::unique(ends).begin(), ends.end());
  return {};
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return lower;
}

// Files do not say which tokens swallow white space; it is known by the models' names.
void mark_strips(const Reader& reader, Vocabulary& vocabulary) {
  const auto named = [&](std::string_view key) {
    return lower_case(reader.metadata.text_or(key, "").value_or(std::string_view()));
  };
  const std::string name = named("general.name"), architecture = named("general.architecture");
  const auto strip_before = [&](std::string_view text) {
    const auto mask = std::ranges::find(vocabulary.tokens, text);
    if (mask != vocabulary.tokens.end()) {
      vocabulary.strip_before.push_back(static_cast<TokenId>(mask - vocabulary.tokens.begin()));
    }
  };
  if (vocabulary.pre.starts_with("jina-v2-") || architecture == "nomic-bert-moe" || architecture == "jina-bert-v3") {
    strip_before("<mask>");
  } else if (name.contains("phi-3") || name.contains("phi3")) {
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      const TokenKind kind = vocabulary.kinds[static_cast<std::size_t>(id)];
      const std::string& text = vocabulary.tokens[static_cast<std::size_t>(id)];
      const bool special = kind == TokenKind::control || kind == TokenKind::user_defined || kind == TokenKind::unknown;
      if (special && text != "<unk>" && text != "<s>" && text != "<|endoftext|>") vocabulary.strip_after.push_back(id);
    }
  } else if (name.contains("modern-bert")) {
    strip_before("[MASK]");
  }
}

Status read_model(std::string_view model, Vocabulary& vocabulary) {
  if (model == "llama") {
    vocabulary.model = TokenizerModel::spm;
  } else if (model == "gpt2" || model == "gemma4" || model == "whitespace") {
    vocabulary.model = TokenizerModel::bpe;
    vocabulary.drop_whitespace = model == "whitespace";
    if (model == "gemma4") vocabulary.pre = model;
  } else if (model == "bert") {
    vocabulary.model = TokenizerModel::wpm;
  } else if (model == "t5") {
    vocabulary.model = TokenizerModel::unigram;
  } else if (model == "rwkv") {
    vocabulary.model = TokenizerModel::rwkv;
  } else if (model == "none" || model == "no_vocab") {
    return fail(Code::unsupported, "the file has no tokenizer (its tokenizer model is '{}')", model);
  } else {
    return fail(
        Code::unsupported,
        "tokenizer model '{}' is not known; known are llama (SentencePiece), gpt2, gemma4 and whitespace (BPE), "
        "bert (WordPiece), t5 (unigram) and rwkv",
        printable(model));
  }
  return {};
}

// Whether BOS, EOS, a space come with a text where the file does not say so, and what is normalised.
Status read_flags(const Reader& reader, Vocabulary& vocabulary) {
  const gguf::Metadata& metadata = reader.metadata;
  const TokenizerModel model = vocabulary.model;
  const PretokenizerScheme* const scheme = model == TokenizerModel::bpe ? find_pretokenizer(vocabulary.pre) : nullptr;
  const bool default_bos = model == TokenizerModel::spm || (scheme != nullptr && scheme->add_bos);
  WISP_TRY(vocabulary.add_bos, metadata.boolean_or("tokenizer.ggml.add_bos_token", default_bos));
  WISP_TRY(vocabulary.add_eos, metadata.boolean_or("tokenizer.ggml.add_eos_token", model == TokenizerModel::unigram));
  WISP_TRY(vocabulary.add_space_prefix,
           metadata.boolean_or("tokenizer.ggml.add_space_prefix", model == TokenizerModel::spm));
  WISP_TRY(vocabulary.remove_extra_whitespaces, metadata.boolean_or("tokenizer.ggml.remove_extra_whitespaces", false));
  const bool lowers = model == TokenizerModel::wpm || (vocabulary.drop_whitespace && vocabulary.pre != "whitespace");
  WISP_TRY(vocabulary.lowercase, metadata.boolean_or("tokenizer.ggml.normalizer.lowercase", lowers));
  WISP_TRY(vocabulary.strip_accents,
           metadata.boolean_or("tokenizer.ggml.normalizer.strip_accents", vocabulary.lowercase));
  if (scheme != nullptr && scheme->raw && scheme->add_bos) vocabulary.add_bos = true;  // files of Gemma 4 deny it
  if (model == TokenizerModel::wpm) {  // always [CLS] text [SEP], whatever the file says
    vocabulary.add_bos = vocabulary.add_sep = true;
    vocabulary.add_eos = false;
  }
  if (model == TokenizerModel::rwkv) vocabulary.add_bos = vocabulary.add_eos = false;
  return {};
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
  WISP_TRY(const std::string_view pre, metadata.text_or("tokenizer.ggml.pre", ""));
  vocabulary.pre = pre;
  WISP_CHECK(read_model(model, vocabulary));
  WISP_CHECK(read_tokens(reader, vocabulary));
  if (vocabulary.model == TokenizerModel::bpe) {
    WISP_CHECK(read_merges(reader, vocabulary));
  } else if (vocabulary.model == TokenizerModel::spm && !metadata.has("tokenizer.ggml.token_type")) {
    mark_byte_tokens(vocabulary);
  }
  WISP_CHECK(read_special_ids(reader, vocabulary));
  mark_strips(reader, vocabulary);
  WISP_CHECK(read_flags(reader, vocabulary));
  WISP_TRY(vocabulary.charsmap, reader.bytes("tokenizer.ggml.precompiled_charsmap"));
  WISP_TRY(const std::string_view chat_template, metadata.text_or("tokenizer.chat_template", ""));
  vocabulary.chat_template = chat_template;
  return vocabulary;
}

}  // namespace wisp::text
