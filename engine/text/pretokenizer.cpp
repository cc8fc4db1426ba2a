#include "text/pretokenizer.h"

#include <algorithm>

namespace wisp::text {
namespace {

constexpr Stage kDefault[] = {
    {scan_symbols, kPunctuation | kSymbol}, {scan_gpt2}, {scan_numbers, kNumber}, {scan_three_digits, kNumber}};
constexpr Stage kGpt2[] = {{scan_gpt2}};
constexpr Stage kStarcoder[] = {{scan_number, kNumber}, {scan_gpt2}};
constexpr Stage kFalcon[] = {{scan_falcon_symbols, kPunctuation | kSymbol}, {scan_gpt2}, {scan_three_digits, kNumber}};
constexpr Stage kChameleon[] = {{scan_sentinel, kSymbol},
                                {scan_image_token, kLetter},
                                {scan_tab_or_indent, kSpace},
                                {scan_number, kNumber},
                                {scan_ascii_symbol, kPunctuation | kSymbol},
                                {scan_gpt2}};
constexpr Stage kLlama3[] = {{scan_llama3}};
constexpr Stage kQwen2[] = {{scan_qwen2}};
constexpr Stage kQwen35[] = {{scan_qwen35}};
constexpr Stage kLaguna[] = {{scan_lines}, {scan_qwen2}};
constexpr Stage kSeedCoder[] = {{scan_seed_coder}};
constexpr Stage kUfakzeka[] = {{scan_ufakzeka}};
constexpr Stage kMinicpm5[] = {{scan_numbers_by_3, kNumber}, {scan_minicpm5}};
constexpr Stage kJais2[] = {{scan_jais2}};
constexpr Stage kExaoneMoe[] = {{scan_exaone_moe}};
constexpr Stage kGpt4o[] = {{scan_gpt4o}};
constexpr Stage kTekken[] = {{scan_tekken}};
constexpr Stage kGraniteEmbedding[] = {{scan_granite_embedding}};
constexpr Stage kTinyAya[] = {{scan_to_number_group}, {scan_tiny_aya}};
constexpr Stage kYoutu[] = {{scan_korean_chinese, 0}, {scan_youtu}};
constexpr Stage kKimiK2[] = {{scan_kimi_k2}};
constexpr Stage kDeepseekLlm[] = {{scan_break, kSpace},  {scan_cased_letters, kLetter | kSpace},
                                  {scan_deepseek_marks}, {scan_spaces_at_end, kSpace},
                                  {scan_east_asian, 0},  {scan_numbers, kNumber}};
constexpr Stage kDeepseekCoder[] = {{scan_break, kSpace},
                                    {scan_letters, kLetter | kSpace},
                                    {scan_punctuation, kPunctuation | kSpace},
                                    {scan_east_asian, 0},
                                    {scan_number, kNumber}};
constexpr Stage kDeepseek3[] = {{scan_numbers_by_3, kNumber}, {scan_han_and_kana, 0}, {scan_deepseek3}};
constexpr Stage kSpark[] = {{scan_numbers_by_3, kNumber}, {scan_han_and_kana, 0}, {scan_spark}, {scan_number, kNumber}};
constexpr Stage kAfmoe[] = {{scan_to_number_group}, {scan_asian_scripts, 0}, {scan_deepseek3}};
constexpr Stage kBloom[] = {{scan_bloom}};
constexpr Stage kViking[] = {{scan_bloom}, {scan_number, kNumber}};
constexpr Stage kSuperbpe[] = {{scan_numbers, kNumber}, {scan_digit_triples}};
constexpr Stage kLines[] = {{scan_lines}};
constexpr Stage kNotSpaces[] = {{scan_not_spaces}};

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
