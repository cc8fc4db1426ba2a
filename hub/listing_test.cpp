#include "hub/listing.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace wisp::hub {
namespace {

std::vector<RemoteFile> files(std::initializer_list<std::pair<const char*, std::uint64_t>> list) {
  std::vector<RemoteFile> result;
  for (const auto& [path, size] : list) result.push_back({.path = path, .size = size, .sha256 = {}});
  return result;
}

TEST(Listing, TypesAreReadFromNames) {
  const std::pair<const char*, const char*> cases[] = {
      {"Qwen3-0.6B-Q8_0.gguf", "Q8_0"},
      {"qwen2.5-0.5b-instruct-q4_k_m.gguf", "Q4_K_M"},
      {"tinyllama-1.1b-chat-v1.0.Q2_K.gguf", "Q2_K"},
      {"gemma-3-1b-it-qat-q4_0.gguf", "Q4_0"},
      {"Model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"},
      {"Model-UD-IQ1_S.gguf", "UD-IQ1_S"},
      {"Model-IQ2_XXS.gguf", "IQ2_XXS"},
      {"model_q4_0.gguf", "Q4_0"},
      {"gpt-oss-20b-mxfp4.gguf", "MXFP4"},
      {"gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4_MOE"},
      {"Model-Q4_0_4_8.gguf", "Q4_0_4_8"},
      {"Model-TQ1_0.gguf", "TQ1_0"},
      {"Model-Q6_K_L.gguf", "Q6_K_L"},
      {"BF16/Model-BF16-00001-of-00003.gguf", "BF16"},
      {"Q8_0/model-00001-of-00002.gguf", "Q8_0"},
      {"model-fp16.gguf", "F16"},
      {"model.f32.GGUF", "F32"},
      {"model.gguf", ""},
      {"Q.gguf", ""},
      {"Qwen-7B.gguf", ""},
      {".gguf", ""},
  };
  for (const auto& [name, type] : cases) EXPECT_EQ(type_in_name(name), type) << name;
}

TEST(Listing, PartsBelongTogetherAndCompanionsAreNoModels) {
  const Listing listing = group_models(files({{"m-Q4_0.gguf", 10},
                                              {"m-Q8_0-00002-of-00002.gguf", 11},
                                              {"m-Q8_0-00001-of-00002.gguf", 12},
                                              {"m-F16-00001-of-00003.gguf", 30},
                                              {"mmproj-m-F16.gguf", 500},
                                              {"sub/m.imatrix.gguf", 400}}));
  ASSERT_EQ(listing.models.size(), 3u);
  EXPECT_EQ(listing.others.size(), 2u);
  EXPECT_EQ(listing.models[0].type, "F16") << "the largest first";
  EXPECT_FALSE(listing.models[0].complete());
  EXPECT_EQ(listing.models[1].files.size(), 2u);
  EXPECT_EQ(listing.models[1].files[0].path, "m-Q8_0-00001-of-00002.gguf");
  EXPECT_EQ(listing.models[1].bytes(), 23u);
  EXPECT_EQ(listing.models[1].stem, "m-Q8_0");
  const auto whole = select_model(listing, "m-Q8_0-00002-of-00002.gguf");
  ASSERT_TRUE(whole);
  EXPECT_EQ((*whole)->files.size(), 2u) << "any part means all of them";
  EXPECT_EQ(select_model(listing, "F16").error().code, Code::invalid_file);
}

TEST(Listing, SelectionsMeanOneModelOrSayWhy) {
  const Listing listing =
      group_models(files({{"a-Q4_K_M.gguf", 10}, {"b-Q4_K_M.gguf", 11}, {"a-UD-Q6_K.gguf", 9}, {"x/a-F16.gguf", 30}}));
  EXPECT_EQ((*select_model(listing, "A-q4_k_m.gguf"))->stem, "a-Q4_K_M");
  EXPECT_EQ((*select_model(listing, "fp16"))->stem, "x/a-F16");
  EXPECT_EQ((*select_model(listing, "a-f16.gguf"))->stem, "x/a-F16");
  EXPECT_EQ((*select_model(listing, "q6_k"))->type, "UD-Q6_K");
  EXPECT_EQ((*select_model(listing, "ud-q6_k"))->type, "UD-Q6_K");
  const auto two = select_model(listing, "Q4_K_M");
  EXPECT_EQ(two.error().code, Code::invalid_argument);
  EXPECT_NE(two.error().message.find("b-Q4_K_M.gguf"), std::string::npos);
  const auto none = select_model(listing, "Q2_K");
  EXPECT_EQ(none.error().code, Code::not_found);
  EXPECT_NE(none.error().message.find("UD-Q6_K (9 B)"), std::string::npos) << none.error().message;
}

TEST(Listing, HostilePagesAreRefusedOrLeftOut) {
  std::vector<RemoteFile> found;
  for (const char* page : {"", "{}", "null", "[", "\"x\"", "{\"error\": \"no\"}"}) {
    EXPECT_FALSE(add_tree_page(page, found)) << page;
  }
  const char* const page = R"([null, 1, [], {}, {"type": "file"}, {"type": "directory", "path": "a.gguf", "size": 1},
    {"type": "file", "path": "../a.gguf", "size": 1}, {"type": "file", "path": "/a.gguf", "size": 1},
    {"type": "file", "path": "a/./b.gguf", "size": 1}, {"type": "file", "path": "a\\b.gguf", "size": 1},
    {"type": "file", "path": "neg.gguf", "size": -1}, {"type": "file", "path": "huge.gguf", "size": 99999999999999999999},
    {"type": "file", "path": "big.gguf", "size": 9007199254740993000},
    {"type": "file", "path": 3, "size": 1}, {"type": "file", "path": "text.txt", "size": 1},
    {"type": "file", "path": "ok.gguf", "size": 7, "lfs": {"oid": "not a hash", "size": 8}}])";
  ASSERT_TRUE(add_tree_page(page, found));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, "ok.gguf");
  EXPECT_EQ(found[0].size, 8u);
  EXPECT_EQ(found[0].sha256, "");
}

TEST(Listing, FuzzedPagesNeverHurt) {
  const std::string page =
      R"([{"type": "file", "path": "m-Q4_0-00001-of-00002.gguf", "size": 7, "lfs": {"oid": "ab", "size": 8}}])";
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    std::string text = page;
    for (int n = 0; n < 3; ++n) text[random() % text.size()] = static_cast<char>(random());
    std::vector<RemoteFile> found;
    if (!add_tree_page(text, found)) continue;
    const Listing listing = group_models(std::move(found));
    static_cast<void>(select_model(listing, "q4_0"));
    static_cast<void>(describe_models(listing));
  }
}

}  // namespace
}  // namespace wisp::hub
