#include "hub/model_name.h"

#include <gtest/gtest.h>

#include <random>

namespace wisp::hub {
namespace {

TEST(ModelName, EachKindIsTakenApart) {
  const auto plain = parse_model_name("hf:owner/repo-GGUF");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->kind, ModelName::Kind::repository);
  EXPECT_EQ(plain->repository, "owner/repo-GGUF");
  EXPECT_EQ(plain->revision, "main");
  EXPECT_EQ(plain->selection, "");
  EXPECT_EQ(plain->canonical(), "hf:owner/repo-GGUF");

  const auto full = parse_model_name("hf:owner/repo@refs/pr/1:sub/model-Q8_0.gguf");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->revision, "refs/pr/1");
  EXPECT_EQ(full->selection, "sub/model-Q8_0.gguf");
  EXPECT_EQ(full->canonical(), "hf:owner/repo@refs/pr/1:sub/model-Q8_0.gguf");

  const auto address = parse_model_name("HTTPS://host:8080/a/b.gguf?sig=secret#part");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->kind, ModelName::Kind::address);
  EXPECT_EQ(address->text, "https://host:8080/a/b.gguf");
  EXPECT_EQ(address->query, "?sig=secret");
  EXPECT_EQ(address->canonical(), "https://host:8080/a/b.gguf") << "a signature is a secret";

  for (const char* path : {"model.gguf", "./a/b", "owner/repo", "C:model", "name with spaces", "a:b/c"}) {
    const auto local = parse_model_name(path);
    ASSERT_TRUE(local) << path;
    EXPECT_EQ(local->kind, ModelName::Kind::local) << path;
    EXPECT_EQ(local->text, path);
  }
  EXPECT_EQ(parse_remote_name("owner/repo:Q4_K_M")->kind, ModelName::Kind::repository);
  EXPECT_EQ(parse_remote_name("/owner/repo")->kind, ModelName::Kind::local);
  EXPECT_EQ(parse_remote_name("./repo")->kind, ModelName::Kind::local);
}

TEST(ModelName, PagesOfHuggingFaceAreTheirRepositories) {
  const auto canonical = [](std::string_view page) { return parse_model_name(page)->canonical(); };
  EXPECT_EQ(canonical("https://huggingface.co/owner/repo"), "hf:owner/repo");
  EXPECT_EQ(canonical("https://huggingface.co/owner/repo/"), "hf:owner/repo");
  EXPECT_EQ(canonical("https://hf.co/owner/repo?library=x#files"), "hf:owner/repo");
  EXPECT_EQ(canonical("https://www.huggingface.co/owner/repo/tree/v1"), "hf:owner/repo@v1");
  EXPECT_EQ(canonical("https://huggingface.co/owner/repo/blob/main/sub/a-Q4_0.gguf"), "hf:owner/repo:sub/a-Q4_0.gguf");
  for (const std::string_view other :
       {"https://huggingface.co/owner/repo/resolve/main/a.gguf", "https://huggingface.co/datasets/owner/repo",
        "https://huggingface.co/owner/repo/blob/main/../a.gguf", "https://huggingface.co/owner/repo/blob/main",
        "https://huggingface.co/owner/repo/tree/main/sub", "https://huggingface.co/owner",
        "https://huggingface.co/a/..", "http://huggingface.co/owner/repo",
        "https://huggingface.co.example.org/owner/repo"}) {
    EXPECT_EQ(canonical(other), other);
  }
}

TEST(ModelName, HostileNamesAreRefused) {
  for (const char* text : {"",
                           "hf:",
                           "hf:owner",
                           "hf:owner/",
                           "hf:/repo",
                           "hf:../repo",
                           "hf:owner/..",
                           "hf:owner/a--b",
                           "hf:a/b/c",
                           "hf:a/b:",
                           "hf:a/b:../c.gguf",
                           "hf:a/b:/etc/passwd",
                           "hf:a/b@",
                           "hf:a/b@..",
                           "hf:a/b@x y",
                           "hf:a/b:c\nd",
                           "hf:.a/b",
                           "file:///etc/passwd",
                           "ftp://host/x",
                           "http://",
                           "http://user:pw@host/x",
                           "http://host/a b",
                           "http://ho\rst/"}) {
    const auto name = parse_model_name(text);
    ASSERT_FALSE(name) << text;
    EXPECT_EQ(name.error().code, Code::invalid_argument) << text;
  }
  EXPECT_FALSE(parse_model_name("hf:a/" + std::string(5000, 'b')));
}

// Whatever the text, a name that is taken never leads out of its folder.
TEST(ModelName, FuzzedNamesAreSafeOrRefused) {
  std::mt19937 random(7);
  constexpr std::string_view kPieces[] = {"hf:",  "/",       "..", ".",  "@",    ":", "a",
                                          "Q4_0", "http://", "?",  "\\", "\x01", "-", "#"};
  for (int i = 0; i < 20000; ++i) {
    std::string text = random() % 2 == 0 ? "hf:" : "";
    for (auto n = random() % 9; n > 0; --n) text += kPieces[random() % std::size(kPieces)];
    const auto name = parse_remote_name(text);
    if (!name || name->kind != ModelName::Kind::repository) continue;
    EXPECT_EQ(name->repository.find(".."), std::string::npos) << text;
    EXPECT_TRUE(is_revision(name->revision)) << text;
    EXPECT_TRUE(name->selection.empty() || is_safe_path(name->selection)) << text;
    const auto again = parse_model_name(name->canonical());
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(again->canonical(), name->canonical());
  }
}

}  // namespace
}  // namespace wisp::hub
