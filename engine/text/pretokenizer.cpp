#include "text/pretokenizer.h"

#include <algorithm>

namespace wisp::text {
namespace {

constexpr Scanner kDefault[] = {scan_symbols, scan_gpt2, scan_numbers, scan_three_digits};
constexpr Scanner kGpt2[] = {scan_gpt2};
constexpr Scanner kStarcoder[] = {scan_number, scan_gpt2};
constexpr Scanner kFalcon[] = {scan_falcon_symbols, scan_gpt2, scan_three_digits};
constexpr Scanner kChameleon[] = {scan_sentinel, scan_image_token,  scan_tab_or_indent,
                                  scan_number,   scan_ascii_symbol, scan_gpt2};
constexpr Scanner kLlama3[] = {scan_llama3};
constexpr Scanner kQwen2[] = {scan_qwen2};
constexpr Scanner kQwen35[] = {scan_qwen35};
constexpr Scanner kLaguna[] = {scan_lines, scan_qwen2};
constexpr Scanner kSeedCoder[] = {scan_seed_coder};
constexpr Scanner kUfakzeka[] = {scan_ufakzeka};
constexpr Scanner kMinicpm5[] = {scan_numbers_by_3, scan_minicpm5};
constexpr Scanner kJais2[] = {scan_jais2};
constexpr Scanner kExaoneMoe[] = {scan_exaone_moe};
constexpr Scanner kGpt4o[] = {scan_gpt4o};
constexpr Scanner kTekken[] = {scan_tekken};
constexpr Scanner kGraniteEmbedding[] = {scan_granite_embedding};
constexpr Scanner kTinyAya[] = {scan_to_number_group, scan_tiny_aya};
constexpr Scanner kYoutu[] = {scan_korean_chinese, scan_youtu};
constexpr Scanner kKimiK2[] = {scan_kimi_k2};
constexpr Scanner kDeepseekLlm[] = {scan_break,         scan_cased_letters, scan_deepseek_marks,
                                    scan_spaces_at_end, scan_east_asian,    scan_numbers};
constexpr Scanner kDeepseekCoder[] = {scan_break, scan_letters, scan_punctuation, scan_east_asian, scan_number};
constexpr Scanner kDeepseek3[] = {scan_numbers_by_3, scan_han_and_kana, scan_deepseek3};
constexpr Scanner kSpark[] = {scan_numbers_by_3, scan_han_and_kana, scan_spark, scan_number};
constexpr Scanner kAfmoe[] = {scan_to_number_group, scan_asian_scripts, scan_deepseek3};
constexpr Scanner kBloom[] = {scan_bloom};
constexpr Scanner kViking[] = {scan_bloom, scan_number};
constexpr Scanner kSuperbpe[] = {scan_numbers, scan_digit_triples};
constexpr Scanner kLines[] = {scan_lines};
constexpr Scanner kNotSpaces[] = {scan_not_spaces};

// By family; within one in the order of the alphabet, but for the name that gave it its own.
constexpr PretokenizerScheme kSchemes[] = {
    {"default", kDefault},

    {"gpt-2", kGpt2},
    {"a.x-4.0", kGpt2},
    {"exaone4", kGpt2},
    {"gigachat", kGpt2},
    {"granite-docling", kGpt2},
    {"jais", kGpt2},
    {"jina-de", kGpt2},
    {"jina-es", kGpt2},
    {"jina-v1-en", kGpt2},
    {"jina-v2-code", kGpt2},
    {"jina-v2-de", kGpt2},
    {"jina-v2-es", kGpt2},
    {"mellum", kGpt2},
    {"modern-bert", kGpt2},
    {"mpt", kGpt2},
    {"olmo", kGpt2},
    {"phi-2", kGpt2},
    {"roberta-bpe", kGpt2},
    {"trillion", kGpt2},

    {"starcoder", kStarcoder},
    {"codeshell", kStarcoder},
    {"command-r", kStarcoder},
    {"exaone", kStarcoder},
    {"mellum2", kStarcoder},
    {"minerva-7b", kStarcoder},
    {"refact", kStarcoder},
    {"smollm", kStarcoder},

    {"llama-bpe", kLlama3, true, true},
    {"chatglm-bpe", kLlama3},
    {"dbrx", kLlama3},
    {"falcon-h1", kLlama3, true, true},
    {"falcon3", kLlama3, true, true},
    {"glm4", kLlama3},
    {"jais-2", kJais2},
    {"jina-v5-nano", kLlama3, true, true},
    {"lfm2", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},
    {"llama3", kLlama3, true, true},
    {"midm-2.0", kLlama3, true, true},
    {"minicpm5", kMinicpm5, true},
    {"pixtral", kLlama3, true, true},
    {"smaug-bpe", kLlama3},

    {"qwen2", kQwen2},
    {"bailingmoe", kQwen2},
    {"bailingmoe2", kQwen2},
    {"deepseek-r1-qwen", kQwen2},
    {"exaone-moe", kExaoneMoe},
    {"f2llmv2", kQwen2},
    {"grok-2", kQwen2},
    {"hunyuan", kQwen2},
    {"kormo", kQwen2},
    {"laguna", kLaguna},
    {"llada-moe", kQwen2},
    {"megrez", kQwen2},
    {"qwen35", kQwen35},
    {"seed-coder", kSeedCoder},
    {"solar-open", kQwen2},
    {"stablelm2", kQwen2},
    {"ufakzeka", kUfakzeka},

    {"gpt-4o", kGpt4o},
    {"cohere2moe", kTinyAya},
    {"granite-embed-multi-97m", kGraniteEmbedding, true},
    {"kanana2", kGpt4o},
    {"kimi-k2", kKimiK2},
    {"llama4", kGpt4o},
    {"minimax-m2", kGpt4o},
    {"talkie", kGpt4o},
    {"tekken", kTekken, true, true},
    {"tiny_aya", kTinyAya},
    {"youtu", kYoutu, true},

    {"deepseek-llm", kDeepseekLlm},
    {"deepseek-coder", kDeepseekCoder},
    {"deepseek-v3", kDeepseek3},
    {"afmoe", kAfmoe},
    {"hunyuan-dense", kDeepseek3},
    {"hy_v4", kDeepseek3},
    {"joyai-llm", kDeepseek3},
    {"spark2_5", kSpark},

    {"bloom", kBloom},
    {"gpt3-finnish", kBloom},
    {"poro-chat", kBloom},
    {"viking", kViking},

    {"chameleon", kChameleon, false, true},
    {"falcon", kFalcon},
    {"superbpe", kSuperbpe},
    {"whitespace", kNotSpaces, false, false, true},

    {"gemma4", kLines, false, true, true, true},
    {"granite-embed-multi-311m", kLines, false, true, true, true},
    {"sarvam-moe", kLines, false, false, true},
};

}  // namespace

const PretokenizerScheme* find_pretokenizer(std::string_view name) {
  const auto* const found = std::ranges::find(kSchemes, name.empty() ? "default" : name, &PretokenizerScheme::name);
  return found != std::end(kSchemes) ? found : nullptr;
}

std::string known_pretokenizers() {
  std::string names;
  for (const PretokenizerScheme& scheme : kSchemes) {
    if (!names.empty()) names += ", ";
    names += scheme.name;
  }
  return names;
}

}  // namespace wisp::text
