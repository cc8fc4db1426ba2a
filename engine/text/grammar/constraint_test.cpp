// Masks, forced tokens, triggers and copies, with the shipped model's vocabulary; and masks against asking about each
// token alone, on random grammars.
#include <gtest/gtest.h>

#include <random>

#include "gguf/reader.h"
#include "tests/counting_new.h"
#include "tests/engine_harness.h"
#include "tests/grammar_tools.h"
#include "tests/test_data.h"
#include "text/grammar/constraint.h"
#include "text/vocabulary.h"

namespace wisp::text::grammar {
namespace {

using test::expect_value;

const Tokenizer& stories() {
  static const std::unique_ptr<Tokenizer> tokenizer = [] {
    const auto path = test::source_dir() / "models/wisp-stories.gguf";
    const gguf::File file = expect_value(gguf::open_model(path.string()));
    return expect_value(Tokenizer::create(expect_value(read_vocabulary(file.metadata))));
  }();
  return *tokenizer;
}

std::shared_ptr<CompiledGrammar> compiled(std::string_view source, Notation notation = Notation::gbnf) {
  return expect_value(compile_grammar(notation, source, stories()));
}
Constraint constraint(std::string_view source, Notation notation = Notation::gbnf) {
  return expect_value(Constraint::create(compiled(source, notation)));
}

bool allows(Constraint& constraint, TokenId token) {
  const std::span<const std::uint32_t> mask = expect_value(constraint.mask());
  const auto id = static_cast<std::size_t>(token);
  return mask.empty() || (mask[id / 32] >> (id % 32) & 1u) != 0;
}

// The tokens of a text as the model would write it behind another.
std::vector<TokenId> tokens_of(std::string_view text) {
  std::vector<TokenId> ids;
  for (const char c : text) {
    for (TokenId id = 0; id < stories().vocabulary().size(); ++id) {
      if (stories().token_bytes(id, false) == std::string(1, c)) {
        ids.push_back(id);
        break;
      }
    }
  }
  return ids;
}
TokenId end_token() { return stories().vocabulary().end_of_generation.front(); }

// Takes the tokens that must follow, then one at random, until the text ends or has `most` tokens.
std::string generate(Constraint& constraint, std::mt19937& random, std::size_t most = 200) {
  std::string text;
  for (std::size_t n = 0; n < most && !constraint.finished(); ++n) {
    const std::span<const TokenId> run = expect_value(constraint.forced());
    if (!run.empty()) {
      for (const TokenId token : std::vector<TokenId>(run.begin(), run.end())) {
        EXPECT_TRUE(constraint.accept(token));
        text += stories().token_bytes(token, false);
      }
      continue;
    }
    std::vector<TokenId> allowed;
    for (TokenId id = 0; id < stories().vocabulary().size(); ++id) {
      if (allows(constraint, id)) allowed.push_back(id);
    }
    const TokenId token = allowed.at(random() % allowed.size());
    if (stories().vocabulary().is_end(token)) break;
    EXPECT_TRUE(constraint.accept(token)) << token;
    text += stories().token_bytes(token, false);
  }
  return text;
}

TEST(ConstraintTest, EndTokensAreAllowedExactlyWhereTheTextMayEnd) {
  Constraint c = constraint("root ::= \"ab\" \"c\"?");
  EXPECT_FALSE(allows(c, end_token()));
  for (const TokenId token : tokens_of("ab")) ASSERT_TRUE(c.accept(token));
  EXPECT_TRUE(allows(c, end_token()));
  EXPECT_TRUE(c.may_end());
  EXPECT_FALSE(c.finished());
  ASSERT_TRUE(c.accept(tokens_of("c")[0]));
  EXPECT_TRUE(c.finished());
  EXPECT_TRUE(allows(c, end_token()));
  const Status more = c.accept(tokens_of("c")[0]);
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().message.find("cannot follow here by the grammar"), std::string::npos);
  EXPECT_TRUE(c.accept(end_token()));
}

TEST(ConstraintTest, ControlTokensAreNoText) {
  // The text of a control token, and any text at all.
  for (const std::string source : {"root ::= \"<|user|>\" \"x\"", "root ::= .*"}) {
    Constraint c = constraint(source);
    for (TokenId id = 0; id < stories().vocabulary().size(); ++id) {
      const TokenKind kind = stories().vocabulary().kinds[static_cast<std::size_t>(id)];
      if (kind != TokenKind::control || stories().vocabulary().is_end(id)) continue;
      EXPECT_FALSE(allows(c, id)) << id;
    }
  }
  Constraint named = constraint("root ::= <|user|> \"x\" <[4]>?");
  EXPECT_TRUE(allows(named, 4));
  EXPECT_FALSE(allows(named, tokens_of("<")[0]));
  ASSERT_TRUE(named.accept(4));
  ASSERT_TRUE(named.accept(tokens_of("x")[0]));
  EXPECT_TRUE(allows(named, 4));
  EXPECT_FALSE(compile_grammar(Notation::gbnf, "root ::= <[4096]>", stories()));
}

TEST(ConstraintTest, TokensMaySplitCharacters) {
  // The vocabulary has no token for these characters, only for their bytes.
  Constraint c = constraint("root ::= [\u4e00-\u4e8c] \"\U0001F600\"");
  std::mt19937 random(1);
  const std::string text = generate(c, random);
  EXPECT_TRUE(c.finished());
  EXPECT_EQ(text.size(), 7u);
  EXPECT_TRUE(text.ends_with("\U0001F600"));
}

// ---- masks against the plain question ----

std::string random_grammar(std::mt19937& random) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::string source;
  const int n_rules = 2 + pick(4);
  for (int rule = 0; rule < n_rules; ++rule) {
    source += rule == 0 ? "root ::= " : fmt::format("r{} ::= ", rule);
    for (int way = pick(3); way >= 0; --way) {
      // A byte first: no left recursion.
      source += fmt::format("\"{}\" ", std::string(1, static_cast<char>('a' + pick(3))));
      for (int part = pick(4); part > 0; --part) {
        switch (pick(6)) {
          case 0: source += "[a-d] "; break;
          case 1: source += fmt::format("\"{}\" ", std::string(static_cast<std::size_t>(1 + pick(3)), 'b')); break;
          case 2: source += "(\"c\" | \"\")"; break;
          case 3: source += fmt::format("r{} ", 1 + pick(n_rules - 1)); break;
          case 4: source += fmt::format("(\"a\" \"b\"?){{{},{}}} ", pick(3), 3 + pick(60)); break;
          default: source += fmt::format("(r{} | [^a-c])* ", 1 + pick(n_rules - 1)); break;
        }
      }
      source += way > 0 ? "| " : "| \"d\"\n";
    }
  }
  return source;
}

TEST(GrammarPropertyTest, TheMachineReadsWhatTheNaiveReaderReads) {
  std::mt19937 random(7);
  const int rounds = test::full_run() ? 3000 : 150;
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string source = random_grammar(random);
    Grammar grammar;
    ASSERT_TRUE(parse_gbnf(source, {}, grammar));
    const Result<Machine> machine = compile(grammar);
    ASSERT_TRUE(machine) << source << machine.error().message;
    Automaton automaton(*machine, 4);
    for (int i = 0; i < 60; ++i) {
      std::string text;
      for (auto n = random() % 9; n > 0; --n) text.push_back(static_cast<char>('a' + random() % 5));
      const bool expected = test::NaiveReader(grammar, text).accepts();
      accepted += expected ? 1 : 0;
      ASSERT_EQ(test::read_with(automaton, text) == test::Verdict::accepted, expected) << source << text;
    }
  }
  EXPECT_GT(accepted, rounds);
}

TEST(GrammarPropertyTest, AMaskIsWhatEachTokenAnswersAlone) {
  std::mt19937 random(11);
  const int rounds = test::full_run() ? 200 : 12;
  const auto trie = std::make_shared<const TokenTrie>(stories());
  for (int round = 0; round < rounds; ++round) {
    const std::string source = random_grammar(random);
    Constraint c =
        expect_value(Constraint::create(expect_value(compile_grammar(Notation::gbnf, source, stories(), trie))));
    // A second automaton that knows nothing of masks or of states that are alike.
    Automaton plain(expect_value(compile_machine(Notation::gbnf, source)), 0x7FFF);
    StateId state = expect_value(plain.start());
    for (int n = 0; n < 12 && !c.finished(); ++n) {
      std::vector<TokenId> allowed;
      for (TokenId id = 0; id < stories().vocabulary().size(); ++id) {
        const std::string bytes = stories().token_bytes(id, false);
        StateId to = state;
        for (const char b : bytes) to = plain.next(to, static_cast<std::uint8_t>(b));
        const bool is_end = stories().vocabulary().is_end(id);
        const bool expected = is_end ? plain.may_end(state) : !bytes.empty() && to != kDeadState;
        ASSERT_EQ(allows(c, id), expected) << source << "token " << id << " '" << bytes << "'";
        if (expected && !is_end) allowed.push_back(id);
      }
      if (allowed.empty()) break;
      const TokenId token = allowed[random() % allowed.size()];
      ASSERT_TRUE(c.accept(token));
      for (const char b : stories().token_bytes(token, false)) state = plain.next(state, static_cast<std::uint8_t>(b));
    }
  }
}

TEST(GrammarPropertyTest, WhatIsGeneratedIsAccepted) {
  std::mt19937 random(13);
  for (int round = 0; round < 20; ++round) {
    const std::string source = random_grammar(random);
    Constraint c = constraint(source);
    const std::string text = generate(c, random, 30);
    if (!c.may_end()) continue;
    EXPECT_EQ(test::read_with(Notation::gbnf, source, text), test::Verdict::accepted) << source << text;
  }
}

// ---- states and masks are kept ----

TEST(ConstraintTest, LongCountsShareTheirMasks) {
  const auto grammar = compiled("root ::= [a-c]{0,100000} \"!\"");
  Constraint c = expect_value(Constraint::create(grammar));
  const TokenId a = tokens_of("a")[0];
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(allows(c, a));
    ASSERT_TRUE(c.accept(a));
  }
  EXPECT_LT(grammar->counters().masks_made, 10u);
  EXPECT_GT(grammar->counters().masks_found, 2900u);
}

TEST(ConstraintTest, CountsMatterNearTheirBounds) {
  Constraint c = constraint("root ::= \"a\"{500,1000} \"!\"");
  const TokenId a = tokens_of("a")[0], mark = tokens_of("!")[0];
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(allows(c, mark), i >= 500) << i;
    ASSERT_TRUE(allows(c, a)) << i;
    ASSERT_TRUE(c.accept(a));
  }
  EXPECT_FALSE(allows(c, a));
  EXPECT_TRUE(allows(c, mark));
}

// Words of several letters near the bounds of a count, against an automaton that takes no two states for alike.
TEST(ConstraintTest, CountsMatterForEveryTokenNearTheirBounds) {
  const std::string source = "root ::= [a-z ]{60,120} \"!\"";
  Constraint c = constraint(source);
  Automaton plain(expect_value(compile_machine(Notation::gbnf, source)), 0x7FFF);
  StateId state = expect_value(plain.start());
  const TokenId a = tokens_of("a")[0];
  for (int i = 0; i <= 120; ++i) {
    for (TokenId id = 0; id < stories().vocabulary().size(); ++id) {
      const std::string bytes = stories().token_bytes(id, false);
      if (bytes.empty()) continue;
      StateId to = state;
      for (const char b : bytes) to = plain.next(to, static_cast<std::uint8_t>(b));
      ASSERT_EQ(allows(c, id), to != kDeadState) << i << " '" << bytes << "'";
    }
    if (i == 120) break;
    ASSERT_TRUE(c.accept(a));
    state = plain.next(state, 'a');
  }
}

TEST(ConstraintTest, WhatIsRememberedIsBounded) {
  // Each depth is a state of its own.
  const auto grammar = compiled("root ::= \"(\" [0-9]* root \")\" | \"x\"");
  Constraint first = expect_value(Constraint::create(grammar));
  const TokenId open = tokens_of("(")[0], close = tokens_of(")")[0], x = tokens_of("x")[0];
  ASSERT_TRUE(first.accept(open));
  Constraint second = first;
  std::size_t n = 0;
  while (grammar->counters().collections < 2 && n < 2'000'000) {
    ASSERT_TRUE(second.accept(open));
    ++n;
  }
  EXPECT_EQ(grammar->counters().collections, 2u) << n;
  EXPECT_LT(grammar->automaton().bytes_used(), 2 * Automaton::kSoftLimit);
  // Both are where they were.
  ASSERT_TRUE(first.accept(x));
  ASSERT_TRUE(first.accept(close));
  EXPECT_TRUE(first.finished());
  ASSERT_TRUE(second.accept(x));
  for (std::size_t i = 0; i < n + 1; ++i) ASSERT_TRUE(second.accept(close)) << i;
  EXPECT_TRUE(second.finished());
}

TEST(ConstraintTest, AWarmConstraintAllocatesNothing) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "sanitizers bring their own allocator";
  const auto grammar = compiled(R"({"items": {"type": "string", "maxLength": 5}})", Notation::json_schema);
  const std::vector<TokenId> tokens = tokens_of("[\"abc\",\"bcd\",\"cde\"");
  const std::vector<TokenId> more = tokens_of(",\"abc\"");
  Constraint c = expect_value(Constraint::create(grammar));
  const auto go = [&](const std::vector<TokenId>& run) {
    for (const TokenId token : run) {
      ASSERT_TRUE(c.forced());
      ASSERT_TRUE(allows(c, token));
      ASSERT_TRUE(c.accept(token));
    }
  };
  go(tokens);
  go(more);
  const std::uint64_t before = test::allocations();
  for (int i = 0; i < 100; ++i) go(more);
  EXPECT_EQ(test::allocations(), before);
}

TEST(ConstraintTest, CopiesGoTheirOwnWays) {
  Constraint a = constraint("root ::= \"x\" (\"yz\" | \"w\")");
  ASSERT_TRUE(a.accept(tokens_of("x")[0]));
  Constraint b = a;
  ASSERT_TRUE(a.accept(tokens_of("w")[0]));
  EXPECT_TRUE(a.finished());
  EXPECT_FALSE(b.finished());
  EXPECT_EQ(expect_value(b.accepts(tokens_of("yzw"))), 2u);
  ASSERT_TRUE(b.accept(tokens_of("y")[0]));
  b = a;
  EXPECT_TRUE(b.finished());
  const Constraint moved = std::move(b);
  EXPECT_TRUE(moved.finished());
}

// ---- what must follow ----

TEST(ConstraintTest, WhatMustFollowIsCutAsTheTokenizerDoes) {
  Constraint c = constraint("root ::= \"x\" \"Once upon a time there was a dog\"");
  ASSERT_TRUE(c.accept(tokens_of("x")[0]));
  const std::span<const TokenId> run = expect_value(c.forced());
  const std::vector<TokenId> ids(run.begin(), run.end());
  std::vector<TokenId> natural = expect_value(stories().encode("xOnce upon a time there was a dog", {}));
  ASSERT_GT(natural.size(), ids.size());
  EXPECT_EQ(ids, std::vector<TokenId>(natural.end() - static_cast<std::ptrdiff_t>(ids.size()), natural.end()));
  for (const TokenId token : ids) ASSERT_TRUE(c.accept(token));
  EXPECT_TRUE(c.finished());
}

TEST(ConstraintTest, TheLastTokenOfAForcedTextIsTheModelsWhereItMayGoOn) {
  Constraint c = constraint("root ::= \"Once upon a time\" [a-z]*");
  std::string text;
  const std::span<const TokenId> run = expect_value(c.forced());
  for (const TokenId token : run) text += stories().token_bytes(token, false);
  EXPECT_TRUE(std::string("Once upon a time").starts_with(text));
  EXPECT_LT(text.size(), std::string("Once upon a time").size());
  EXPECT_FALSE(run.empty());
}

TEST(ConstraintTest, NothingIsForcedWhereThereIsAChoice) {
  Constraint c = constraint("root ::= \"abc\" | \"abd\"?");
  EXPECT_TRUE(expect_value(c.forced()).empty());  // the text may end at once
  Constraint d = constraint("root ::= [ab]");
  EXPECT_TRUE(expect_value(d.forced()).empty());
}

// ---- triggers ----

TEST(ConstraintTest, ATriggerStartsTheGrammar) {
  const auto grammar = compiled("root ::= \"<tool>\" [0-9]+ \"</tool>\"");
  Constraint lazy = expect_value(Constraint::create(grammar, {.texts = {"<tool>"}, .tokens = {}}));
  for (const TokenId token : tokens_of("any < text <too ")) {
    EXPECT_TRUE(lazy.waiting());
    EXPECT_TRUE(allows(lazy, end_token()));
    EXPECT_TRUE(lazy.may_end());
    ASSERT_TRUE(lazy.accept(token));
  }
  for (const TokenId token : tokens_of("<<tool>")) ASSERT_TRUE(lazy.accept(token));
  EXPECT_FALSE(lazy.waiting());
  EXPECT_FALSE(allows(lazy, end_token()));
  EXPECT_FALSE(allows(lazy, tokens_of("a")[0]));
  for (const TokenId token : tokens_of("42</tool>")) {
    EXPECT_TRUE(allows(lazy, token));
    ASSERT_TRUE(lazy.accept(token));
  }
  EXPECT_TRUE(lazy.finished());
}

TEST(ConstraintTest, ATriggerInsideATokenCounts) {
  // "Once" is one token of this vocabulary; a trigger ends inside of it, and what is behind must suit the grammar.
  TokenId once = -1;
  for (TokenId id = 0; id < stories().vocabulary().size(); ++id) {
    if (stories().token_bytes(id, false) == "Once") once = id;
  }
  ASSERT_GE(once, 0);
  Constraint fits =
      expect_value(Constraint::create(compiled("root ::= \"On\" [a-z]+ \"!\""), {.texts = {"On"}, .tokens = {}}));
  EXPECT_TRUE(allows(fits, once));
  ASSERT_TRUE(fits.accept(once));
  EXPECT_FALSE(fits.waiting());
  EXPECT_TRUE(allows(fits, tokens_of("!")[0]));
  Constraint not_so =
      expect_value(Constraint::create(compiled("root ::= \"On\" [0-9]+"), {.texts = {"On"}, .tokens = {}}));
  EXPECT_FALSE(allows(not_so, once));
  EXPECT_TRUE(allows(not_so, tokens_of("O")[0]));
  EXPECT_FALSE(not_so.accept(once));
  EXPECT_TRUE(not_so.waiting());
}

TEST(ConstraintTest, ATokenMayTrigger) {
  const auto grammar = compiled("root ::= \"a\"+");
  Constraint c = expect_value(Constraint::create(grammar, {.texts = {}, .tokens = {4}}));
  ASSERT_TRUE(c.accept(tokens_of("x")[0]));
  EXPECT_TRUE(expect_value(c.mask()).empty());  // all may come
  ASSERT_TRUE(c.accept(4));
  EXPECT_FALSE(c.waiting());
  EXPECT_FALSE(allows(c, tokens_of("x")[0]));
  // Named by the grammar it is part of it.
  Constraint named = expect_value(Constraint::create(compiled("root ::= <[4]> \"b\""), {.texts = {}, .tokens = {4}}));
  ASSERT_TRUE(named.accept(4));
  EXPECT_TRUE(allows(named, tokens_of("b")[0]));
}

TEST(ConstraintTest, ATriggerThatCannotStartItsGrammarIsRefused) {
  const auto grammar = compiled("root ::= \"a\"+");
  const auto refusal = Constraint::create(grammar, {.texts = {"b"}, .tokens = {}});
  ASSERT_FALSE(refusal);
  EXPECT_NE(refusal.error().message.find("begins with its trigger 'b'"), std::string::npos);
  EXPECT_FALSE(Constraint::create(grammar, {.texts = {""}, .tokens = {}}));
  EXPECT_FALSE(Constraint::create(grammar, {.texts = {std::string(2000, 'a')}, .tokens = {}}));
  EXPECT_FALSE(Constraint::create(grammar, {.texts = {}, .tokens = {-1}}));
}

}  // namespace
}  // namespace wisp::text::grammar
