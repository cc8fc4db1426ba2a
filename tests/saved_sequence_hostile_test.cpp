// No file with a saved sequence, and no SavedSequence made by hand, does harm: not to the process, and not to what
// others are told.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "base/hash64.h"
#include "cpu/executor.h"
#include "runtime/saved_sequence.h"
#include "tests/engine_harness.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp::runtime {
namespace {

using test::expect_value;
using test::Heard;
using test::same_bits;

SavedSequence small_one() {
  SavedSequence saved{.model = 1, .settings = 2, .tokens = test::random_tokens(70, 1), .n_positions = 69};
  SavedSequence::Group all{.block_bytes = 12, .indices = {0, 1, 2}};
  SavedSequence::Group window{.block_bytes = 8, .indices = {1, 2}};
  for (SavedSequence::Group* group : {&all, &window}) {
    for (std::size_t i = 0; i < group->block_bytes * group->indices.size(); ++i) {
      group->bytes.push_back(static_cast<std::byte>(i * 7));
    }
    saved.groups.push_back(*group);
  }
  return saved;
}

// With the checksum made right again, so that what is behind it is tested, too.
void seal(std::vector<std::byte>& bytes) {
  const std::uint64_t sum = hash64(std::span(bytes).first(bytes.size() - 8));
  std::memcpy(bytes.data() + bytes.size() - 8, &sum, 8);
}

// Some bytes changed, sometimes the end cut off, and sealed.
std::vector<std::byte> tampered(std::vector<std::byte> bytes, std::mt19937& random, std::size_t most_flips,
                                std::size_t most_cut) {
  for (std::size_t flips = random() % most_flips + 1; flips > 0; --flips) {
    bytes[random() % (bytes.size() - 8)] = static_cast<std::byte>(random() % 3 == 0 ? 0xFF : random());
  }
  if (random() % 4 == 0) bytes.resize(bytes.size() - random() % most_cut);
  seal(bytes);
  return bytes;
}

TEST(SavedSequenceFile, RoundTrip) {
  const SavedSequence saved = small_one();
  const SavedSequence read = expect_value(read_saved(expect_value(write_saved(saved))));
  EXPECT_EQ(read, saved);
  EXPECT_FALSE(read.sampler.mirostat_mu.has_value());
  EXPECT_TRUE(std::ranges::equal(read.block(1, 2), saved.block(1, 2)));
  EXPECT_EQ(read.block(1, 2).size(), 8u);
  EXPECT_TRUE(read.block(1, 0).empty());
  EXPECT_TRUE(read.block(2, 0).empty());
}

TEST(MalformedSavedSequence, CutsAndFlipsAreRefused) {
  const std::vector<std::byte> good = expect_value(write_saved(small_one()));
  for (std::size_t n = 0; n < good.size(); ++n) {
    const Result<SavedSequence> read = read_saved(std::span(good).first(n));
    ASSERT_FALSE(read) << n;
    EXPECT_EQ(read.error().code, Code::invalid_file);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x10};
    EXPECT_FALSE(read_saved(bad)) << i;
  }
}

// Whatever a file says whose checksum is right: nothing is read past its end, and nothing large is asked for. What is
// accepted is written again as it was.
TEST(HostileSavedSequence, ContentIsHarmless) {
  std::mt19937 random(1);
  const std::vector<std::byte> good = expect_value(write_saved(small_one()));
  int accepted = 0;
  for (int i = 0; i < (test::full_run() ? 20'000 : 2'000); ++i) {
    const std::vector<std::byte> bad = tampered(good, random, 4, 40);
    const Result<SavedSequence> read = read_saved(bad);
    if (!read) {
      EXPECT_EQ(read.error().code, Code::invalid_file);
      continue;
    }
    ++accepted;
    EXPECT_TRUE(read->check());
    EXPECT_EQ(read_saved(expect_value(write_saved(*read))), *read);
    for (std::size_t g = 0; g < read->groups.size(); ++g) {
      for (std::uint32_t b = 0; b < 4; ++b) static_cast<void>(hash64(read->block(g, b)));
    }
  }
  EXPECT_GT(accepted, 0);
}

// Each of them would have to be noticed by whoever takes it, and is by check().
TEST(HostileSavedSequence, ValuesMadeByHandAreChecked) {
  const std::vector<std::pair<std::string, std::function<void(SavedSequence&)>>> changes = {
      {"make no sense", [](SavedSequence& saved) { saved.n_positions = 71; }},
      {"make no sense", [](SavedSequence& saved) { saved.groups.resize(65); }},
      {"make no sense", [](SavedSequence& saved) { saved.tokens.clear(); }},
      {"token 3 of", [](SavedSequence& saved) { saved.tokens[3] = -1; }},
      {"Mirostat", [](SavedSequence& saved) { saved.sampler.mirostat_mu = std::numeric_limits<float>::infinity(); }},
      {"number 3 of 69", [](SavedSequence& saved) { saved.groups[0].indices[2] = 3; }},
      {"number 0 of 69", [](SavedSequence& saved) { saved.groups[0].indices[1] = 0; }},
      {"number 2 of 64", [](SavedSequence& saved) { saved.n_positions = 64; }},
      {"35 bytes for 3 blocks of 12", [](SavedSequence& saved) { saved.groups[0].bytes.pop_back(); }},
      {"36 bytes for 2 blocks of 12", [](SavedSequence& saved) { saved.groups[0].indices.pop_back(); }},
      {"of 9223372036854775808 bytes",
       [](SavedSequence& saved) {  // 2 of them are 2^64, which is 0
         saved.groups[1] = {.block_bytes = std::uint64_t{1} << 63, .indices = {0, 1}};
       }},
  };
  for (const auto& [said, change] : changes) {
    SavedSequence bad = small_one();
    change(bad);
    const Status checked = bad.check();
    ASSERT_FALSE(checked) << said;
    EXPECT_EQ(checked.error().code, Code::invalid_file) << said;
    EXPECT_NE(checked.error().message.find(said), std::string::npos) << checked.error().message;
    EXPECT_FALSE(write_saved(bad)) << said;
    for (std::uint32_t index = 0; index < 4; ++index) static_cast<void>(hash64(bad.block(1, index)));
  }
  EXPECT_TRUE(small_one().check());
}

// ---- engines ----

class HostileSavedState : public testing::Test {
 protected:
  // Of little memory: what one request has used the next one gets.
  std::unique_ptr<Engine> engine(bool prefix_cache = true) const {
    EngineOptions options{.max_sequences = 1, .kv_blocks = {4}, .prefix_cache = prefix_cache};
    return expect_value(Engine::create(test::open_bytes(model_.bytes), options,
                                       expect_value(cpu::make_cpu_executor({.threads = 1, .isa = {}}))));
  }
  static Request asked(std::vector<TokenId> prompt, std::shared_ptr<const SavedSequence> state = nullptr) {
    Request request{.prompt = std::move(prompt), .max_new_tokens = 3, .ignore_end = true};
    request.sampling.seed = 2;
    request.state = std::move(state);
    return request;
  }
  static Heard run(Engine& engine, Request request) {
    Heard heard;
    EXPECT_TRUE(engine.submit(test::listen(std::move(request), heard)));
    EXPECT_TRUE(engine.run());
    EXPECT_EQ(heard.finishes, 1);
    return heard;
  }
  SavedSequence saved() const {
    const std::unique_ptr<Engine> before = engine();
    const RequestId id = expect_value(before->submit(asked(test::random_tokens(50, 1, 40))));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(expect_value(before->step()));
    return expect_value(before->save(id));
  }

  test::RandomModel model_ = test::random_model({.layers = 1, .d_model = 32, .feed_forward = 32, .heads = 2});
};

// Its keys and values may be anything. Later requests write over the same memory, and are told what they would have
// been.
TEST_F(HostileSavedState, NumbersThatAreNoneStayWithWhoNamedThem) {
  const SavedSequence good = saved();
  auto state = std::make_shared<SavedSequence>(good);
  ASSERT_FALSE(state->groups[0].bytes.empty());
  std::ranges::fill(state->groups[0].bytes, std::byte{0xFF});  // f16: NaN
  // Shorter than what the state filled, so that NaN lies behind its end, too.
  const std::vector<TokenId> other = test::random_tokens(37, 9, 40);
  for (const bool prefix_cache : {false, true}) {
    const std::unique_ptr<Engine> victim = engine(prefix_cache);
    Heard lied;
    ASSERT_TRUE(victim->submit(test::listen(asked(good.tokens, state), lied)));
    ASSERT_TRUE(victim->run());
    EXPECT_EQ(lied.finishes, 1);
    for (const std::vector<TokenId>& prompt : {other, good.tokens}) {
      const Heard after = run(*victim, asked(prompt));
      EXPECT_EQ(after.reason, FinishReason::length);
      EXPECT_TRUE(same_bits(after.logits, run(*engine(), asked(prompt)).logits));
    }
  }
}

// A file chooses its bytes, and with them every hash of itself; the salt of its blocks is the engine's.
TEST_F(HostileSavedState, TwoStatesOfTheSameTokensShareNothing) {
  const auto honest = std::make_shared<const SavedSequence>(saved());
  auto liar = std::make_shared<SavedSequence>(*honest);
  for (std::size_t i = 0; i < liar->groups[0].bytes.size(); i += 2) liar->groups[0].bytes[i] ^= std::byte{1};
  const Heard expected = run(*engine(), asked(honest->tokens, honest));
  const std::unique_ptr<Engine> both = engine();
  EXPECT_FALSE(same_bits(run(*both, asked(honest->tokens, liar)).logits, expected.logits));
  EXPECT_TRUE(same_bits(run(*both, asked(honest->tokens, honest)).logits, expected.logits));
  EXPECT_EQ(both->kv_use().counters.n_positions_hit, 0u);
  // While the same object once more finds its blocks.
  EXPECT_TRUE(same_bits(run(*both, asked(honest->tokens, honest)).logits, expected.logits));
  EXPECT_EQ(both->kv_use().counters.n_positions_hit, kv::kBlockPositions);
  // An object of its place in memory is another one.
  const SavedSequence copy = *liar;
  liar.reset();
  for (int i = 0; i < 20; ++i) {
    const auto again = std::make_shared<const SavedSequence>(i % 2 == 0 ? copy : *honest);
    EXPECT_EQ(same_bits(run(*both, asked(copy.tokens, again)).logits, expected.logits), i % 2 == 1) << i;
  }
}

// What reading lets through an engine either refuses or survives, and nobody else hears of it.
TEST_F(HostileSavedState, TamperedFilesAreRefusedOrSurvived) {
  const SavedSequence good = saved();
  const std::vector<std::byte> bytes = expect_value(write_saved(good));
  const std::unique_ptr<Engine> victim = engine();
  const std::vector<std::vector<float>> expected = run(*engine(), asked(good.tokens)).logits;
  std::mt19937 random(4);
  int taken = 0, refused = 0;
  for (int i = 0; i < (test::full_run() ? 3'000 : 150); ++i) {
    // Half of them where the counts are.
    std::vector<std::byte> bad = bytes;
    if (i % 2 == 0) bad[random() % 44] = static_cast<std::byte>(random());
    bad = tampered(std::move(bad), random, 3, 200);
    Result<SavedSequence> read = read_saved(bad);
    if (!read) continue;
    std::vector<TokenId> prompt = read->tokens;
    Heard heard;
    const Result<RequestId> id = victim->submit(
        test::listen(asked(std::move(prompt), std::make_shared<const SavedSequence>(std::move(*read))), heard));
    if (!id) {
      ++refused;
      EXPECT_TRUE(id.error().code == Code::invalid_file || id.error().code == Code::invalid_argument ||
                  id.error().code == Code::limit)
          << id.error().message;
      continue;
    }
    ASSERT_TRUE(victim->run());
    EXPECT_EQ(heard.finishes, 1);
    ++taken;
    if (taken % 8 == 0) EXPECT_TRUE(same_bits(run(*victim, asked(good.tokens)).logits, expected)) << i;
  }
  EXPECT_GT(taken, 10);
  EXPECT_GT(refused, 2);
}

// What only an engine can judge.
TEST_F(HostileSavedState, AnEngineChecksTheRest) {
  const SavedSequence good = saved();
  const std::unique_ptr<Engine> here = engine();
  const auto refused = [&](Engine& by, const SavedSequence& saved, Code code, std::string_view said) {
    const Result<RequestId> answer = by.submit(asked(good.tokens, std::make_shared<const SavedSequence>(saved)));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code);
    EXPECT_NE(answer.error().message.find(said), std::string::npos) << answer.error().message;
  };
  SavedSequence bad = good;
  bad.model ^= 1;
  refused(*here, bad, Code::invalid_argument, "another model");
  bad = good;
  bad.tokens[3] ^= 1;
  refused(*here, bad, Code::invalid_argument, "does not begin");
  bad = good;
  bad.groups.clear();
  refused(*here, bad, Code::invalid_file, "0 groups");
  bad = good;
  bad.groups[0].block_bytes /= 2;
  refused(*here, bad, Code::invalid_file, "bytes for 2 blocks of");
  bad.groups[0].bytes.resize(bad.groups[0].bytes.size() / 2);
  refused(*here, bad, Code::invalid_file, "bytes for group 0");
  bad = good;
  bad.groups[0].indices.erase(bad.groups[0].indices.begin());
  bad.groups[0].bytes.resize(bad.groups[0].block_bytes);
  refused(*here, bad, Code::invalid_file, "lacks block 0");
  // Of a model with more tokens, which is what is wrong, whatever the tokens are.
  bad = good;
  bad.model ^= 1;
  bad.tokens[0] = 4000;
  Request request = asked(bad.tokens, std::make_shared<const SavedSequence>(bad));
  const Result<RequestId> answer = here->submit(std::move(request));
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("another model"), std::string::npos) << answer.error().message;
}

}  // namespace
}  // namespace wisp::runtime
