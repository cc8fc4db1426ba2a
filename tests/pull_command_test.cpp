// wisp pull, models and rm, and names in place of paths, against a server that misbehaves (tests/pull_server.py).
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "hub/model_store.h"
#include "tests/command.h"
#include "tests/pull_server.h"
#include "tests/random_model.h"
#include "tests/test_data.h"

namespace wisp {
namespace {

namespace fs = std::filesystem;
using test::CommandOutcome;
using test::run_wisp;
using Json = nlohmann::json;

std::string shipped() { return (test::source_dir() / "models/wisp-stories.gguf").string(); }

class PullCommand : public testing::Test {
 protected:
  void SetUp() override {
#ifndef WISP_HAVE_PULL
    GTEST_SKIP() << "this build has no libcurl";
#endif
    if (std::system("python3 -c '' >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no python3";
    for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_HOME", "HF_TOKEN_PATH",
                             "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) {
      environment_.unset(name);
    }
    environment_.set("XDG_CACHE_HOME", cache());
    environment_.set("WISP_PULL_PAUSE_MS", "1");
    environment_.set("WISP_PULL_STALL_MS", "1000");
    root_ = folder_ / "www";
    fs::create_directories(root_ + "/hf/owner/repo");
    fs::create_symlink(shipped(), root_ + "/story.gguf");
    server_ = std::make_unique<test::PullServer>(root_);
    environment_.set("HF_ENDPOINT", server_->url(""));
  }
  [[nodiscard]] std::string cache() const { return folder_ / "cache"; }

  // A small model, told apart by its seed, as a file of a repository.
  void put(const std::string& path, std::uint64_t seed, std::uint32_t d_model = 64) const {
    const std::string whole = root_ + "/hf/" + path;
    fs::create_directories(fs::path(whole).parent_path());
    test::RandomModelShape shape;
    shape.seed = seed;
    shape.d_model = d_model;
    test::write_bytes(whole, test::write_random_model(shape, test::random_metadata(shape)));
  }

  static CommandOutcome pull(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"pull", name});
    return run_wisp(more);
  }
  // One that has to succeed, with its --json.
  static Json pulled(const std::string& name, std::vector<std::string> more = {}) {
    more.emplace_back("--json");
    const CommandOutcome outcome = pull(name, more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }
  void expect_refused(const std::string& name, int code, std::string_view said,
                      std::vector<std::string> more = {}) const {
    const CommandOutcome outcome = pull(name, std::move(more));
    EXPECT_EQ(outcome.exit_code, code) << name << ": " << outcome.err;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << name << ": " << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(count_files(".gguf"), 0u) << name << ": something was taken for a model";
  }
  [[nodiscard]] std::size_t count_files(const std::string& ending) const {
    std::size_t n = 0;
    std::error_code none;
    for (const auto& entry : fs::recursive_directory_iterator(cache(), none))
      n += entry.path().string().ends_with(ending);
    return n;
  }
  // Starts a pull and kills it as soon as its journal says that so many bytes are there; gives what it says then.
  [[nodiscard]] std::uint64_t kill_when_it_has(const std::string& url, std::uint64_t enough) const {
    const pid_t process = fork();
    if (process == 0) {
      execl(WISP_COMMAND, WISP_COMMAND, "pull", "--quiet", url.c_str(), nullptr);
      _exit(127);
    }
    const auto done = [this] {
      const auto parts = hub::ModelStore(cache() + "/wisp/models").parts();
      return parts.empty() ? std::uint64_t{0} : parts.front().done;
    };
    while (done() < enough && waitpid(process, nullptr, WNOHANG) == 0) usleep(1000);
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
    return done();
  }
  static bool same_as_shipped(const std::string& path) { return test::read_bytes(path) == test::read_bytes(shipped()); }

  test::TemporaryFolder folder_;
  test::Environment environment_;
  std::string root_;
  std::unique_ptr<test::PullServer> server_;
};

TEST_F(PullCommand, RangesCutsAndStallsGiveTheFileAndNoByteTwice) {
  const std::uint64_t size = fs::file_size(shipped());
  // What a cut connection had under way may be lost; sockets hold some.
  for (const auto& [way, slack] : {std::pair<std::string, std::uint64_t>{"plain", 0},
                                   {"cut=300000", 0},
                                   {"stall=200000", 0},
                                   {"busy=2", 0},
                                   {"other", 0},
                                   {"length=1000", 0}}) {
    const std::string path = "/" + way + "/story.gguf";
    const Json result = pulled(server_->url(path));
    if (!result.is_object()) continue;
    EXPECT_TRUE(same_as_shipped(result["path"].get<std::string>())) << way;
    EXPECT_GT(server_->log()["ranges"].value(path, 0), 3) << way;
    EXPECT_LE(server_->bytes(path), size + slack + 20 * 1000) << way;
    EXPECT_EQ(result["architecture"], "llama");
    const std::uint64_t before = server_->bytes(path);
    EXPECT_TRUE(pulled(server_->url(path))["was_here"].get<bool>());
    EXPECT_EQ(server_->bytes(path), before) << way << ": fetched again";
  }
  EXPECT_EQ(count_files(".part") + count_files(".journal") + count_files(".lock"), 0u);
}

TEST_F(PullCommand, WithoutRangesOneStreamDoesIt) {
  const CommandOutcome outcome = pull(server_->url("/noranges/story.gguf"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("no ranges"), std::string::npos) << outcome.err;
  EXPECT_TRUE(same_as_shipped(outcome.out.substr(0, outcome.out.size() - 1)));
  EXPECT_EQ(server_->bytes("/noranges/story.gguf"), fs::file_size(shipped()));
}

TEST_F(PullCommand, ServersThatLieAreRefusedAndNothingStays) {
  environment_.set("WISP_PULL_RETRIES", "2");
  expect_refused(server_->url("/html/story.gguf"), 1, "web page");
  expect_refused(server_->url("/gzip/story.gguf"), 1, "compressed");
  expect_refused(server_->url("/loop/story.gguf"), 1, "redirects more than");
  expect_refused(server_->url("/tofile/story.gguf"), 1, "other than http");
  expect_refused(server_->url("/wrongrange/story.gguf"), 1, "asked for bytes");
  expect_refused(server_->url("/etags/story.gguf"), 1, "again and again");
  expect_refused(server_->url("/short=5000/story.gguf"), 1, "not a whole model");
  expect_refused(server_->url("/nolength/story.gguf"), 1, "does not tell the file's size");
  expect_refused(server_->url("/cut=0/story.gguf"), 1, "given up after");
  expect_refused(server_->url("/length=-1000/story.gguf"), 1, "less than it promised");
  expect_refused(server_->url("/noranges+cut=1000000/story.gguf"), 1, "given up after");
  expect_refused(server_->url("/status=500/story.gguf"), 1, "status 500");
  expect_refused(server_->url("/status=404/story.gguf"), 1, "404");
  expect_refused(server_->url("/status=401/story.gguf"), 1, "HF_TOKEN");
  expect_refused(server_->url("/status=429/story.gguf"), 1, "too many requests");
  expect_refused(server_->url("/plain/story.gguf"), 1, "should be",
                 {"--sha256", "00000000000000000000000000000000000000000000000000000000000000ff"});
  EXPECT_EQ(server_->log()["bytes"].value("/html/story.gguf", 0), 0);
  EXPECT_EQ(pull("http://127.0.0.1:1/x.gguf").exit_code, 1);
  EXPECT_EQ(pull("ftp://127.0.0.1/x.gguf").exit_code, 2);
  EXPECT_EQ(pull("http://user:secret@127.0.0.1/x.gguf").exit_code, 2);
  EXPECT_EQ(pull("hf:../x").exit_code, 2);
}

TEST_F(PullCommand, AFileThatChangesMeanwhileStartsOver) {
  const CommandOutcome outcome = pull(server_->url("/changed=3/story.gguf"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("has changed"), std::string::npos) << outcome.err;
  auto expected = test::read_bytes(shipped());
  expected.back() ^= std::byte{1};
  EXPECT_TRUE(test::read_bytes(outcome.out.substr(0, outcome.out.size() - 1)) == expected) << "a mixture of both";
}

// kill -9 in the middle, several times; then the whole, with hardly more bytes sent than it has.
TEST_F(PullCommand, KilledAtAnyMomentItGoesOn) {
  const std::string path = "/slow=10/story.gguf", url = server_->url(path);
  const std::uint64_t size = fs::file_size(shipped());
  std::uint64_t done = 0;
  for (const std::uint64_t enough : {100'000u, 1'500'000u, 4'000'000u}) {
    done = kill_when_it_has(url, enough);
    EXPECT_GE(done, enough);
    EXPECT_EQ(count_files(".gguf"), 0u);
  }
  const Json partial = Json::parse(run_wisp({"models", "--json"}).out)["partial"];
  ASSERT_EQ(partial.size(), 1u);
  EXPECT_EQ(partial[0]["done"], done);
  const Json result = pulled(url);
  EXPECT_TRUE(same_as_shipped(result["path"].get<std::string>()));
  EXPECT_EQ(result["resumed_bytes"], done);
  EXPECT_EQ(result["resumed_bytes"].get<std::uint64_t>() + result["downloaded_bytes"].get<std::uint64_t>(), size);
  // What the sockets held: at each kill a piece of 64 KiB for each of four connections, and a little more.
  EXPECT_LT(server_->bytes(path), size + 3 * 4 * 3 * 65536u);
}

TEST_F(PullCommand, WhatWasBegunOfAnotherFileIsNotGoneOnWith) {
  const std::string url = server_->url("/cut=700000+slow=1/story.gguf");
  environment_.set("WISP_PULL_RETRIES", "0");
  EXPECT_EQ(pull(url, {"--connections", "1"}).exit_code, 1);
  // The same address has another file now, of another size.
  fs::remove(root_ + "/story.gguf");
  test::RandomModelShape shape;
  const auto bytes = test::write_random_model(shape, test::random_metadata(shape));
  test::write_bytes(root_ + "/story.gguf", bytes);
  environment_.set("WISP_PULL_RETRIES", "3");
  const Json result = pulled(url);
  EXPECT_TRUE(test::read_bytes(result["path"].get<std::string>()) == bytes);
  EXPECT_EQ(result["resumed_bytes"], 0);
}

TEST_F(PullCommand, AFullDiskIsTheMachinesLackAndGoesOnLater) {
  const std::string url = server_->url("/plain/story.gguf");
  // 2 MiB at most a file, in blocks of 1 KiB.
  const std::string script =
      "ulimit -f 2048; '" WISP_COMMAND "' pull --connections 1 '" + url + "' 2>'" + (folder_ / "err") + "'";
  const int status = std::system(("bash -c \"" + script + "\"").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 3);
  std::ifstream err(folder_ / "err");
  const std::string said(std::istreambuf_iterator<char>(err), {});
  EXPECT_NE(said.find("goes on once there is room"), std::string::npos) << said;
  const Json result = pulled(url);
  EXPECT_GT(result["resumed_bytes"].get<std::uint64_t>(), 1700u * 1024);
  EXPECT_LE(result["resumed_bytes"].get<std::uint64_t>(), 2048u * 1024);
}

TEST_F(PullCommand, TwoAtOnceFetchItOnce) {
  const std::string path = "/slow=3/story.gguf";
  const std::string one = "'" WISP_COMMAND "' pull '" + server_->url(path) + "' --json >'";
  const std::string script =
      one + (folder_ / "a") + "' 2>/dev/null & " + one + (folder_ / "b") + "' 2>/dev/null; c=$?; wait $! && exit $c";
  EXPECT_EQ(std::system(script.c_str()), 0);
  EXPECT_EQ(server_->bytes(path), fs::file_size(shipped()));
  for (const char* name : {"a", "b"}) {
    std::ifstream file(folder_ / name);
    EXPECT_TRUE(same_as_shipped(Json::parse(file)["path"].get<std::string>()));
  }
}

TEST_F(PullCommand, ARepositoryIsListedChosenFetchedAndVerified) {
  put("owner/repo/tiny-q8_0.gguf", 1);
  put("owner/repo/sub dir/tiny-Q4_K_M.gguf", 2);
  put("owner/repo/mmproj-tiny-F16.gguf", 3);
  fs::create_symlink(shipped(), root_ + "/hf/owner/repo/tiny-F16.gguf");
  // By type, in any case; the second host sees no token.
  environment_.set("HF_TOKEN", "secret-token");
  const Json named = pulled("hf:owner/repo:q4_k_m");
  EXPECT_EQ(named["type"], "Q4_K_M");
  EXPECT_TRUE(named["hash_known"].get<bool>());
  EXPECT_TRUE(named["path"].get<std::string>().ends_with("sub dir/tiny-Q4_K_M.gguf"));
  EXPECT_EQ(named["commit"], "0123456789abcdef0123456789abcdef01234567");
  EXPECT_GT(server_->log()["authorized"].get<int>(), 0);
  EXPECT_FALSE(server_->log()["leaked"].get<bool>()) << "the token went to another host";
  // By file; the same name in any form finds it without a byte.
  EXPECT_EQ(pulled("owner/repo:tiny-q8_0.gguf")["type"], "Q8_0");
  EXPECT_TRUE(pulled("hf:owner/repo@main:Q8_0")["was_here"].get<bool>());
  for (const char* name : {"Q5_0", "mmproj-tiny-F16.gguf"}) {
    const CommandOutcome outcome = pull(std::string("hf:owner/repo:") + name);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("Q4_K_M"), std::string::npos) << outcome.err;
  }
  // Another revision is another model.
  EXPECT_FALSE(pulled("hf:owner/repo:Q8_0", {"--revision", "v1"})["was_here"].get<bool>());
  EXPECT_EQ(pull("hf:owner/repo@v2").exit_code, 1);
  // Nobody but the owner reads it, and nothing secret was written.
  for (const auto& entry : fs::recursive_directory_iterator(cache() + "/wisp/models")) {
    const auto others = fs::perms::group_all | fs::perms::others_all;
    EXPECT_EQ(entry.status().permissions() & others, fs::perms::none) << entry.path();
    if (!entry.is_regular_file() || entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(text.find("secret-token"), std::string::npos);
    EXPECT_EQ(text.find("Signature"), std::string::npos);
  }
}

TEST_F(PullCommand, WithoutATypeTheMemoryChooses) {
  put("owner/repo/tiny-Q8_0.gguf", 1);
  fs::create_symlink(shipped(), root_ + "/hf/owner/repo/tiny-F16.gguf");
  const Json small = pulled("hf:owner/repo", {"--memory", "8MiB"});
  EXPECT_EQ(small["type"], "Q8_0") << small;
  EXPECT_NE(small["why"].get<std::string>().find("F16 would take"), std::string::npos) << small;
  EXPECT_EQ(server_->bytes("/owner/repo/resolve/main/tiny-F16.gguf"), 0u);
  EXPECT_EQ(pulled("hf:owner/repo", {"--memory", "4GiB"})["type"], "Q8_0")
      << "what is here is not fetched in another type";
  EXPECT_EQ(run_wisp({"rm", "hf:owner/repo", "--yes"}).exit_code, 0);
  const Json large = pulled("hf:owner/repo", {"--memory", "4GiB"});
  EXPECT_EQ(large["type"], "F16");
  EXPECT_EQ(server_->bytes("/owner/repo/resolve/main/tiny-F16.gguf"), fs::file_size(shipped()))
      << "its header came twice";
  EXPECT_EQ(run_wisp({"rm", "hf:owner/repo", "--yes"}).exit_code, 0);
  const CommandOutcome none = pull("hf:owner/repo", {"--memory", "10KiB"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_NE(none.err.find("the smallest, Q8_0, would take"), std::string::npos) << none.err;
  EXPECT_EQ(count_files(".gguf") + count_files(".part"), 0u);
}

// All parts come together, whichever is named; what is complete of them is not fetched again.
TEST_F(PullCommand, SplitModelsComeWhole) {
  put("owner/parts/a-Q8_0-00001-of-00002.gguf", 1);
  put("owner/parts/a-Q8_0-00002-of-00002.gguf", 2);
  const Json listed = pulled("hf:owner/parts:Q8_0");
  ASSERT_EQ(listed["files"].size(), 2u);
  EXPECT_TRUE(listed["path"].get<std::string>().ends_with("a-Q8_0-00001-of-00002.gguf"));
  EXPECT_TRUE(pulled("hf:owner/parts:a-Q8_0-00002-of-00002.gguf")["was_here"].get<bool>());
  // As a process leaves it that is killed between the parts and the index.
  fs::remove(listed["path"].get<std::string>() + ".wisp.json");
  const Json again = pulled("hf:owner/parts");
  EXPECT_EQ(again["downloaded_bytes"].get<std::uint64_t>(), 0u);
  EXPECT_FALSE(again["was_here"].get<bool>());
  const Json address = pulled(server_->url("/plain/hf/owner/parts/a-Q8_0-00002-of-00002.gguf"));
  EXPECT_EQ(address["files"].size(), 2u);
  EXPECT_EQ(address["files"][0]["sha256"], listed["files"][0]["sha256"]);
}

TEST_F(PullCommand, ANewVersionReplacesTheOldOne) {
  put("owner/repo/a-Q8_0.gguf", 1);
  const Json old = pulled("hf:owner/repo:Q8_0");
  put("owner/repo/a-Q8_0.gguf", 2);
  const CommandOutcome outcome = pull("hf:owner/repo:Q8_0", {"--json"});
  EXPECT_NE(outcome.err.find("has changed at its source"), std::string::npos) << outcome.err;
  const Json now = Json::parse(outcome.out);
  EXPECT_NE(now["files"][0]["sha256"], old["files"][0]["sha256"]);
  EXPECT_EQ(Json::parse(run_wisp({"models", "--json"}).out)["models"].size(), 1u);
}

TEST_F(PullCommand, RepositoriesThatLieOrHideAreRefused) {
  put("lying/repo/a-Q8_0.gguf", 1);
  put("sizes/repo/a-Q8_0.gguf", 1);
  put("private/repo/a-Q8_0.gguf", 1);
  put("hostile/repo/a-Q8_0.gguf", 1);
  put("owner/parts/a-Q8_0-00001-of-00002.gguf", 1);
  fs::create_directories(root_ + "/hf/owner/empty");
  expect_refused("hf:lying/repo", 1, "should be");
  expect_refused("hf:sizes/repo", 1, "the repository says");
  expect_refused("hf:private/repo", 1, "HF_TOKEN");
  expect_refused("hf:missing/repo", 1, "404");
  expect_refused("hf:broken/repo", 1, "not a JSON array");
  expect_refused("hf:owner/empty", 1, "no model");
  expect_refused("hf:owner/parts:Q8_0", 1, "1 of its 2 parts");
  environment_.set("HF_TOKEN", "wrong-token");
  const CommandOutcome wrong = pull("hf:private/repo");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_EQ(wrong.err.find("wrong-token"), std::string::npos) << "a secret was printed";
  environment_.unset("HF_TOKEN");
  std::ofstream(folder_ / "token") << "secret-token\n";
  environment_.set("HF_TOKEN_PATH", folder_ / "token");
  EXPECT_EQ(pulled("hf:private/repo")["type"], "Q8_0");
  // Paths that would leave the folder are not even listed.
  EXPECT_EQ(pulled("hf:hostile/repo")["type"], "Q8_0");
  EXPECT_EQ(pull("hf:hostile/repo:../../../escape.gguf").exit_code, 2);
  EXPECT_EQ(count_files("escape.gguf"), 0u);
}

TEST_F(PullCommand, NamesStandForPathsEverywhere) {
  fs::create_symlink(shipped(), root_ + "/hf/owner/repo/stories-Q8_0.gguf");
  const std::vector<std::string> greedy = {"--ids", "1,512,502", "-n", "6", "--greedy", "--print-ids"};
  const auto run = [&](const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"run", name});
    more.insert(more.end(), greedy.begin(), greedy.end());
    return run_wisp(more);
  };
  const CommandOutcome offline = run("hf:owner/repo:Q8_0", {"--offline"});
  EXPECT_EQ(offline.exit_code, 1);
  EXPECT_NE(offline.err.find("--offline"), std::string::npos) << offline.err;
  const CommandOutcome first = run("hf:owner/repo:Q8_0");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, run(shipped()).out);
  // From now on nobody is asked.
  environment_.set("HF_ENDPOINT", "http://127.0.0.1:1");
  environment_.set("HF_HUB_OFFLINE", "1");
  for (const char* name :
       {"hf:owner/repo:Q8_0", "hf:owner/repo", "owner/repo", "stories-q8_0", "hf:owner/repo:stories-Q8_0.gguf"}) {
    EXPECT_EQ(run(name).out, first.out) << name;
  }
  EXPECT_EQ(run_wisp({"inspect", "stories-Q8_0"}).exit_code, 0);
  EXPECT_EQ(run_wisp({"fit", "stories-Q8_0"}).exit_code, 0);
  EXPECT_EQ(run_wisp({"tokenize", "stories-Q8_0", "--text", "a"}).exit_code, 0);
  EXPECT_EQ(pull("hf:owner/repo").exit_code, 0);
  EXPECT_EQ(pull("hf:owner/other").exit_code, 1);

  const Json list = Json::parse(run_wisp({"models", "--json"}).out);
  ASSERT_EQ(list["models"].size(), 1u);
  const Json& model = list["models"][0];
  EXPECT_EQ(model["name"], "stories-Q8_0");
  EXPECT_EQ(model["source"], "hf:owner/repo:stories-Q8_0.gguf");
  EXPECT_EQ(model["size"], fs::file_size(shipped()));
  EXPECT_EQ(model["type"], "Q8_0");
  EXPECT_EQ(model["architecture"], "llama");
  EXPECT_GT(model["context"].get<int>(), 0);
  EXPECT_EQ(model["fits"], true) << model;
  const CommandOutcome table = run_wisp({"models"});
  EXPECT_NE(table.out.find("stories-Q8_0"), std::string::npos);

  EXPECT_EQ(run_wisp({"rm", "stories-Q8_0"}).exit_code, 2) << "nobody is there to be asked";
  EXPECT_EQ(run_wisp({"rm", "stories-Q8_0", "--yes"}).exit_code, 0);
  EXPECT_EQ(run_wisp({"rm", "stories-Q8_0", "--yes"}).exit_code, 1);
  EXPECT_TRUE(fs::is_empty(cache() + "/wisp/models"));
  EXPECT_EQ(run_wisp({"rm"}).exit_code, 2);
}

TEST_F(PullCommand, WhatWasBegunCanBeRemoved) {
  environment_.set("WISP_PULL_RETRIES", "0");
  EXPECT_EQ(pull(server_->url("/cut=100000/story.gguf")).exit_code, 1);
  EXPECT_EQ(count_files(".part"), 1u);
  EXPECT_EQ(run_wisp({"rm", "--all-partial", "--yes"}).exit_code, 0);
  EXPECT_TRUE(fs::is_empty(cache() + "/wisp/models"));
}

}  // namespace
}  // namespace wisp
