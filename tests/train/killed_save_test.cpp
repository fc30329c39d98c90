// A save under strace: killed at each of its system calls, and told that the disk is full, broken or read-only. Skipped
// where there is no strace or it may not trace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "support/sanitizers.h"
#include "train/child.h"
#include "train/runs.h"

namespace tapegrad {
namespace {

namespace fs = std::filesystem;

constexpr const char *kBegin = "/save-begins", *kEnd = "/save-ends";

/// The state at a step.
Generator at_step(int64_t step) {
  Generator random(3);
  random.position = uint64_t(1000 * step);
  return random;
}

/// Saves step 3, between two calls that the trace shows. 0: saved, 3: refused with a FormatError.
const Child saves("saves", [](const std::string& folder) {
  Generator random = at_step(3);
  train::Checkpointer run(folder, {{"random", random}}, {.keep = 2, .on_signal = false});
  ::access(kBegin, F_OK);
  try {
    run.save(3);
  } catch (const FormatError& error) {
    return std::string(error.what()).find("cannot be") == std::string::npos ? 4 : 3;
  }
  ::access(kEnd, F_OK);
  return 0;
});

/// One call of the save: the nth of its name in the process.
struct Call {
  std::string name;
  int nth;
  std::string line;
};

class KilledSave : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(TAPEGRAD_ADDRESS_SANITIZER) || defined(TAPEGRAD_THREAD_SANITIZER)
    GTEST_SKIP() << "a sanitizer makes system calls of its own";
#endif
    if (exit_code("strace -o /dev/null true >/dev/null 2>&1") != 0)
      GTEST_SKIP() << "strace is missing or may not trace: apt-get install strace";
    for (const int64_t step : {1, 2}) {
      Generator random = at_step(step);
      train::Checkpointer(before(), {{"random", random}}, {.on_signal = false}).save(step);
    }
    ASSERT_EQ(exit_code(fmt::format("strace -o '{}' {}", log(), saves.command(reset()))), 0);
    std::ifstream in(log());
    std::map<std::string, int> count;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
      const std::string name = line.substr(0, line.find('('));
      const int nth = ++count[name];
      if (line.find(kEnd) != std::string::npos) inside = false;
      if (inside) calls_.push_back({name, nth, line});
      if (line.find(kBegin) != std::string::npos) inside = true;
    }
    ASSERT_GT(calls_.size(), 10u);
  }
  std::string log() const { return folder_.path() + ".strace"; }
  std::string before() const { return folder_.path() + ".before"; }
  void TearDown() override {
    fs::remove(log());
    fs::remove_all(before());
  }

  /// The folder with the checkpoints of steps 1 and 2.
  const std::string& reset() const {
    fs::remove_all(folder_.path());
    fs::copy(before(), folder_.path());
    return folder_.path();
  }
  int run(const Call& call, const std::string& inject) const {
    return exit_code(fmt::format("strace -o /dev/null -e trace={0} -e inject={0}:{1}:when={2} {3}", call.name, inject,
                                 call.nth, saves.command(reset())));
  }
  /// Which checkpoint a new process would go on from; all must be well with it.
  int64_t resumed() const {
    Generator random(9);
    train::Checkpointer run(folder_.path(), {{"random", random}}, {.on_signal = false});
    const int64_t step = run.resume();
    EXPECT_EQ(random.position, at_step(step).position);
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      EXPECT_EQ(entry.path().extension(), ".safetensors") << "a leftover";
    return step;
  }

  TestFolder folder_;
  std::vector<Call> calls_;
};

TEST_F(KilledSave, LosesNoCheckpointAtAnySystemCall) {
  std::map<int64_t, int> went_on_from;
  for (const Call& call : calls_) {
    SCOPED_TRACE(call.line);
    EXPECT_EQ(run(call, "signal=KILL"), -1);
    const int64_t step = resumed();
    EXPECT_TRUE(step == 2 || step == 3) << step;
    ++went_on_from[step];
  }
  EXPECT_GT(went_on_from[2], 0);
  EXPECT_GT(went_on_from[3], 0);
  fmt::print(
      "killed at each of {} system calls of a save: {} went on from the checkpoint before, {} from the new "
      "one\n",
      calls_.size(), went_on_from[2], went_on_from[3]);
}

TEST_F(KilledSave, RefusesWhatTheDiskRefusesAndLeavesTheOldFiles) {
  const std::set<std::string> of_files{"openat", "write", "fsync", "close", "rename", "renameat", "fchmod"};
  int refused = 0, saved = 0;
  for (const char* error : {"ENOSPC", "EIO", "EROFS"})
    for (const Call& call : calls_) {
      if (!of_files.contains(call.name)) continue;
      SCOPED_TRACE(fmt::format("{} at {}", error, call.line));
      const int code = run(call, fmt::format("error={}", error));
      ASSERT_TRUE(code == 0 || code == 3) << code;
      EXPECT_EQ(resumed(), code == 0 ? 3 : 2);
      (code == 0 ? saved : refused) += 1;
    }
  EXPECT_GT(refused, 0);
  fmt::print("{} errors of the disk: {} refused with the old files intact, {} in calls that a save does not need\n",
             refused + saved, refused, saved);
}

TEST_F(KilledSave, GoesOnWhereACallWasInterrupted) {
  for (const Call& call : calls_)
    if (call.name == "write") {
      EXPECT_EQ(run(call, "error=EINTR"), 0) << call.line;
      EXPECT_EQ(resumed(), 3);
    }
}

TEST_F(KilledSave, SyncsTheFileBeforeItGetsItsNameAndTheFolderBehind) {
  std::vector<std::string> order;
  for (const Call& call : calls_)
    for (const char* kind : {"write", "fsync", "rename", "unlink"})  // or renameat, unlinkat
      if (call.name.starts_with(kind) && (order.empty() || order.back() != kind)) order.push_back(kind);
  EXPECT_THAT(order, ::testing::ElementsAre("write", "fsync", "rename", "fsync", "unlink"));
}

}  // namespace
}  // namespace tapegrad
