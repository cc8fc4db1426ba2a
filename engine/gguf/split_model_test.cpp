#include <gtest/gtest.h>

#include <filesystem>

#include "gguf/reader.h"
#include "tests/gguf_bytes.h"
#include "tests/test_data.h"

namespace wisp::gguf {
namespace {

// What each part of a split model says about itself.
struct Part {
  std::uint32_t number = 0;
  std::uint32_t count = 3;
  std::uint32_t tensors_in_all = 6;
  std::string architecture;  // "" is left out, as splitters do after the first part
  std::vector<std::string> tensors;
};

// Three parts of two tensors each, in a folder of its own. Tensor "tK" is filled with K.
class SplitModel : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "wisp-split";
    std::filesystem::create_directories(folder_);
    for (int i = 0; i < 3; ++i) write(i, part(i));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Part part(int i) {
    return {.number = static_cast<std::uint32_t>(i),
            .architecture = i == 0 ? "llama" : "",
            .tensors = {fmt::format("t{}", 2 * i), fmt::format("t{}", 2 * i + 1)}};
  }
  [[nodiscard]] std::string path(int i, int count = 3) const {
    return (folder_ / fmt::format("model-{:05}-of-{:05}.gguf", i + 1, count)).string();
  }
  void write(int i, const Part& part) { write_to(path(i), part); }
  static void write_to(const std::string& path, const Part& part) {
    Metadata metadata;
    if (!part.architecture.empty()) metadata.set("general.architecture", Value::text(part.architecture));
    metadata.set("split.no", {ValueType::u16, std::uint64_t{part.number}});
    metadata.set("split.count", {ValueType::u16, std::uint64_t{part.count}});
    metadata.set("split.tensors.count", Value::i32(static_cast<std::int32_t>(part.tensors_in_all)));
    std::vector<TensorInfo> tensors;
    for (const std::string& name : part.tensors) tensors.push_back({.name = name, .dims = {4, 1, 1, 1}});
    test::write_bytes(path, test::write_gguf(metadata, tensors, [&](std::size_t t, std::span<std::byte> data) {
                        std::ranges::fill(data, static_cast<std::byte>(part.tensors[t].back() - '0'));
                      }));
  }
  void expect_refused(Code code, std::initializer_list<std::string_view> parts, int opened = 0) {
    const auto model = open_model(path(opened));
    ASSERT_FALSE(model);
    EXPECT_EQ(code_name(model.error().code), code_name(code)) << model.error().message;
    for (const std::string_view part : parts) {
      EXPECT_NE(model.error().message.find(part), std::string::npos) << model.error().message << "\n  lacks: " << part;
    }
  }

  std::filesystem::path folder_;
};

TEST_F(SplitModel, OpensFromAnyPart) {
  for (int opened = 0; opened < 3; ++opened) {
    for (const Access access : {Access::mapped, Access::pread}) {
      const auto model = open_model(path(opened), access);
      ASSERT_TRUE(model) << model.error().message;
      EXPECT_EQ(model->metadata.text("general.architecture"), "llama");
      ASSERT_EQ(model->sources.size(), 3);
      ASSERT_EQ(model->tensors.size(), 6);
      for (int t = 0; t < 6; ++t) {
        const TensorInfo* tensor = model->find(fmt::format("t{}", t));
        ASSERT_NE(tensor, nullptr);
        EXPECT_EQ(tensor->split, t / 2);
        std::vector<std::byte> data(tensor->bytes);
        ASSERT_TRUE(model->sources[tensor->split]->read(tensor->offset, data));
        EXPECT_EQ(data.front(), static_cast<std::byte>(t));
      }
    }
  }
}

TEST_F(SplitModel, MissingPartIsNamed) {
  std::filesystem::remove(path(1));
  expect_refused(Code::not_found, {"part 2 of 3", "model-00002-of-00003.gguf"});
}

TEST_F(SplitModel, NamesMustTellTheCount) {
  Part four = part(0);
  four.count = 4;
  write(0, four);
  expect_refused(Code::invalid_file, {"one of 3", "split.count says 4"});

  const std::string renamed = (folder_ / "model.gguf").string();
  std::filesystem::copy_file(path(1), renamed);
  const auto model = open_model(renamed);
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("-00001-of-00003.gguf"), std::string::npos) << model.error().message;
}

TEST_F(SplitModel, PartsOfAnotherModelAreRefused) {
  Part other = part(2);
  other.count = 5;
  write(2, other);
  expect_refused(Code::invalid_file, {"00003-of-00003", "another model", "split.count is 5"});
  other = part(2);
  other.tensors_in_all = 9;
  write(2, other);
  expect_refused(Code::invalid_file, {"another model", "split.tensors.count is 9"});
  other = part(2);
  other.architecture = "gemma3";
  write(2, other);
  expect_refused(Code::invalid_file, {"another model", "gemma3"});
  other = part(2);
  other.tensors = {"t3", "t5"};
  write(2, other);
  expect_refused(Code::invalid_file, {"repeats", "'t3'"});
  other = part(2);
  other.tensors = {"t4"};
  write(2, other);
  expect_refused(Code::invalid_file, {"hold 5 tensors", "says 6"});
}

TEST_F(SplitModel, MixedUpPartsAreRefused) {
  Part other = part(2);
  other.number = 1;
  write(2, other);
  expect_refused(Code::invalid_file, {"named as part 3", "says part 2"});
  test::write_bytes(path(2), test::write_gguf({}, {}));
  expect_refused(Code::not_found, {"00003-of-00003", "split.count"});
}

}  // namespace
}  // namespace wisp::gguf
