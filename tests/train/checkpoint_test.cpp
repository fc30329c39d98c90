// What a run goes on from: the last whole file, and never a changed one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/message.h"
#include "train/runs.h"

namespace {
std::atomic<size_t> most_bytes = SIZE_MAX;  // that one call takes
}
/// In place of the C library's: the system may take less than it is given.
extern "C" ssize_t write(int file, const void* from, size_t bytes) {
  return ::syscall(SYS_write, file, from, std::min(bytes, most_bytes.load()));
}

namespace tapegrad {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Checkpoints : public ::testing::Test {
 protected:
  TestFolder test_folder_;
  const std::string& folder_ = test_folder_.path();
};

TEST_F(Checkpoints, StayTheNewestTheBestAndTheLastFiniteOne) {
  struct Leaf : nn::Module<Leaf> {
    Tensor w = add_parameter("w", ones({2}));
    Tensor forward(const Tensor& x) { return w * x; }
  } model;
  train::Checkpointer run(folder_, {{"model", model}}, {.keep = 2});
  EXPECT_EQ(run.resume(), 0);
  EXPECT_EQ(run.best(), -1);
  for (const int64_t step : {1, 2, 3, 4, 5}) run.save(step, step == 2 ? 0.1 : 0.5);
  EXPECT_THAT(run.steps(), ElementsAre(2, 4, 5));
  EXPECT_EQ(run.best(), 2);
  NoGrad no_grad;
  model.w.fill_(NAN);
  for (const int64_t step : {6, 7, 8}) run.save(step);
  EXPECT_THAT(run.steps(), ElementsAre(2, 5, 7, 8));
  EXPECT_EQ(run.resume(), 5) << "the newest whose parameters are finite";
  EXPECT_EQ(model.w.to_vector<float>(), std::vector<float>(2, 1.0f));
}

TEST_F(Checkpoints, FindEveryBitThatWasFlippedAndTakeTheOneBefore) {
  Generator random(3);
  std::FILE* const quiet = std::fopen("/dev/null", "w");
  train::Checkpointer run(folder_, {{"random", random}}, {.stream = quiet});
  run.save(1);
  run.save(2);
  const std::string bytes = bytes_of(run.path(2));
  size_t found = 0;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = char(changed[bit / 8] ^ (1 << bit % 8));
    std::ofstream(run.path(2), std::ios::binary) << changed;
    ASSERT_EQ(run.resume(), 1) << "bit " << bit << " of " << 8 * bytes.size();
    ++found;
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::ofstream(run.path(2), std::ios::binary) << bytes.substr(0, size);
    ASSERT_EQ(run.resume(), 1) << "cut after " << size;
  }
  fmt::print("{} of {} flipped bits found, and {} of {} cuts\n", found, 8 * bytes.size(), bytes.size(), bytes.size());
  fs::remove(run.path(1));
  EXPECT_THAT(message<FormatError>([&] { run.resume(); }),
              HasSubstr("none of its 1 checkpoints is good. Hint: begin in"));
  std::fclose(quiet);
}

TEST_F(Checkpoints, SayWhichTensorWasChanged) {
  Generator random(3);
  std::FILE* const log = std::tmpfile();
  train::Checkpointer run(folder_, {{"random", random}}, {.stream = log});
  run.save(1);
  run.save(2);
  {
    std::fstream file(run.path(2), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(-1, std::ios::end);
    file.put('\x7f');
  }
  EXPECT_EQ(run.resume(), 1);
  std::rewind(log);
  char line[512] = {};
  ASSERT_TRUE(std::fgets(line, sizeof line, log));
  EXPECT_THAT(line, HasSubstr("passed over: checkpoint: "));
  EXPECT_THAT(line, HasSubstr("step-000000002.safetensors: 'random."));
  std::fclose(log);
}

TEST_F(Checkpoints, SurviveAKillAtAnyMoment) {
  constexpr int kills = 200;
  Generator moments(17);
  int64_t reached = 0;
  for (int kill = 0; kill < kills; ++kill) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Generator random(3);
      train::Checkpointer run(folder_, {{"random", random}});
      for (int64_t step = run.resume();;) run.step(++step);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(moments.below(20000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    Generator random(3);
    train::Checkpointer run(folder_, {{"random", random}});
    const int64_t step = run.resume();
    ASSERT_GE(step, reached) << "a checkpoint was lost";
    reached = step;
    for (const auto& entry : fs::directory_iterator(folder_))
      EXPECT_THAT(entry.path().string(), ::testing::EndsWith(".safetensors")) << "a leftover";
  }
  EXPECT_GT(reached, 0);
  fmt::print("{} kills at random moments, {} checkpoints written: none was lost\n", kills, reached);
}

TEST_F(Checkpoints, AreWholeWhereTheSystemWritesALittleAtATime) {
  Generator random(3);
  train::Checkpointer run(folder_, {{"random", random}});
  run.save(1);
  for (const size_t most : {1, 7, 100}) {
    most_bytes = most;
    run.save(2);
    most_bytes = SIZE_MAX;
    EXPECT_EQ(bytes_of(run.path(2)).size(), bytes_of(run.path(1)).size());
    EXPECT_EQ(run.resume(), 2) << most;
  }
}

TEST_F(Checkpoints, AreLeftAloneWhereTheDiskIsFull) {
  Generator random(3);
  train::Checkpointer run(folder_, {{"random", random}});
  run.save(1);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THAT(message<FormatError>([&] { run.save(2); }),
              HasSubstr("step-000000002.safetensors: cannot be written: File too"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  EXPECT_THAT(run.steps(), ElementsAre(1));
  EXPECT_EQ(run.resume(), 1);
}

TEST_F(Checkpoints, ASignalSavesAndEndsTheLoop) {
  std::FILE* const log = std::tmpfile();
  {
    Generator random(3);
    train::Checkpointer run(folder_, {{"random", random}}, {.every = 1000, .stream = log});
    EXPECT_TRUE(run.step(1));
    EXPECT_THAT(run.steps(), ElementsAre());
    std::raise(SIGINT);
    EXPECT_FALSE(run.step(2));
    EXPECT_THAT(run.steps(), ElementsAre(2));
  }
  std::rewind(log);
  char text[512] = {};
  const size_t size = std::fread(text, 1, sizeof text - 1, log);
  EXPECT_THAT(std::string(text, size), HasSubstr("stopped at step 2 by signal 2; " + folder_));
  std::fclose(log);
}

TEST_F(Checkpoints, AreWholeToAReaderWhileTheyAreWritten) {
  constexpr int loads = 10000;
  Generator random(3);
  train::Checkpointer run(folder_, {{"random", random}}, {.on_signal = false});
  run.save(0);
  std::atomic<bool> done = false;
  std::thread reader([&] {
    Generator other(4);
    train::Checkpointer same(folder_, {{"random", other}}, {.on_signal = false});
    for (int i = 0; i < loads; ++i) EXPECT_NO_THROW(same.resume());
    done = true;
  });
  int64_t saves = 0;
  while (!done) run.save(++saves);
  reader.join();
  fmt::print("{} loads while {} saves went on: none failed\n", loads, saves);
}

TEST_F(Checkpoints, RefuseWhatCannotBe) {
  Generator random(3);
  const auto make = [&](train::CheckpointOptions options) {
    train::Checkpointer run(folder_, {{"random", random}}, options);
  };
  EXPECT_THAT(message<ValueError>([&] { make({.every = 0}); }),
              HasSubstr("every and keep must be positive, got 0 and 2"));
  fs::remove_all(folder_);
  std::ofstream(folder_) << "a file";
  EXPECT_THAT(message<FormatError>([&] { make({}); }), HasSubstr("cannot be made a folder"));
}

}  // namespace
}  // namespace tapegrad
