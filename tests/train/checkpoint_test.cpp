// What a run goes on from: the same bits, the last whole file, and never a changed one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/message.h"

namespace tapegrad {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Net : nn::Module<Net> {
  nn::Linear fc1 = add("fc1", nn::Linear(4, 6));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(6));
  nn::Dropout drop = add("drop", nn::Dropout(0.3));
  nn::Linear fc2 = add("fc2", nn::Linear(6, 3));
  Tensor forward(const Tensor& x) { return fc2(drop(relu(norm(fc1(x))))); }
};

/// A run of as many steps as are asked for, with all that its bits depend on.
struct Training {
  data::TensorDataset train_set = samples();  // and every run begins with the same random numbers
  Net model;
  data::DataLoader loader{train_set, {.batch_size = 4, .shuffle = true, .seed = 7}};
  optim::Adam adam{model.named_parameters(), {.lr = 1e-2}};
  optim::CosineAnnealingLR schedule{adam, {.T_max = 60}};
  train::Meter loss;
  train::Checkpointer checkpoints;

  static data::TensorDataset samples() {
    manual_seed(11);
    const Tensor x = randn({26, 4});
    const Tensor y = randint(0, 3, {26});
    manual_seed(5);
    return {x, y};
  }
  explicit Training(const std::string& folder, train::CheckpointOptions options = {})
      : checkpoints(folder,
                    {{"model", model},
                     {"adam", adam},
                     {"schedule", schedule},
                     {"loader", loader},
                     {"loss", loss},
                     {"random", default_generator()}},
                    options) {}

  /// Trains to step `last`, or to where a signal stops it, and returns the step.
  int64_t train(int64_t last) {
    int64_t step = checkpoints.resume();
    loader.seek(loader.epoch(), loader.position());
    while (step < last)
      for (auto [x, y] : loader) {
        {
          Tape tape;
          const Tensor l = cross_entropy(model(x), y);
          adam.zero_grad();
          tape.backward(l);
          loss.add(l.item());
        }
        adam.step();
        schedule.step();
        if (!checkpoints.step(++step) || step == last) return step;
      }
    return step;
  }
  std::vector<std::vector<double>> bits() const {
    std::vector<std::vector<double>> out;
    for (const auto& [name, value] : model.state_dict()) out.push_back(value.to(float64).to_vector<double>());
    return out;
  }
};

class Checkpoints : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = (fs::temp_directory_path() / fmt::format("tapegrad_{}_{}", info->name(), ::getpid())).string();
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Checkpoints, GoOnWithTheSameBitsFromEveryStep) {
  Training straight(folder_ + "/straight", {.keep = 100});
  ASSERT_EQ(straight.train(20), 20);
  for (int64_t stop = 1; stop < 20; ++stop) {
    const std::string folder = fmt::format("{}/{}", folder_, stop);
    Training(folder).train(stop);
    Training resumed(folder);
    ASSERT_EQ(resumed.train(20), 20);
    EXPECT_EQ(resumed.bits(), straight.bits()) << "stopped at step " << stop;
  }
}

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
  std::string bytes;
  {
    std::ifstream in(run.path(2), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = char(changed[bit / 8] ^ (1 << bit % 8));
    std::ofstream(run.path(2), std::ios::binary) << changed;
    ASSERT_EQ(run.resume(), 1) << "bit " << bit << " of " << 8 * bytes.size();
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::ofstream(run.path(2), std::ios::binary) << bytes.substr(0, size);
    ASSERT_EQ(run.resume(), 1) << "cut after " << size;
  }
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
  for (int kill = 0; kill < 40; ++kill) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Generator random(3);
      train::Checkpointer run(folder_, {{"random", random}});
      for (int64_t step = run.resume();;) run.step(++step);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(3000 + 731 * kill));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    Generator random(3);
    train::Checkpointer run(folder_, {{"random", random}});
    ASSERT_NO_THROW(run.resume());
    for (const auto& entry : fs::directory_iterator(folder_))
      EXPECT_THAT(entry.path().string(), ::testing::EndsWith(".safetensors")) << "a leftover";
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
    Training run(folder_, {.every = 1000, .stream = log});
    EXPECT_TRUE(run.checkpoints.step(1));
    EXPECT_THAT(run.checkpoints.steps(), ElementsAre());
    std::raise(SIGINT);
    EXPECT_FALSE(run.checkpoints.step(2));
    EXPECT_THAT(run.checkpoints.steps(), ElementsAre(2));
  }
  std::rewind(log);
  char text[512] = {};
  const size_t size = std::fread(text, 1, sizeof text - 1, log);
  EXPECT_THAT(std::string(text, size), HasSubstr("stopped at step 2 by signal 2; " + folder_));
  std::fclose(log);
}

TEST_F(Checkpoints, AreWholeToAReaderWhileTheyAreWritten) {
  Generator random(3);
  train::Checkpointer run(folder_, {{"random", random}}, {.keep = 3, .on_signal = false});
  run.save(0);
  std::thread reader([&] {
    Generator other(4);
    train::Checkpointer same(folder_, {{"random", other}}, {.on_signal = false});
    for (int i = 0; i < 300; ++i) EXPECT_NO_THROW(same.resume());
  });
  for (int64_t step = 1; step < 100; ++step) run.save(step);
  reader.join();
}

TEST_F(Checkpoints, RefuseWhatCannotBe) {
  Generator random(3);
  const auto make = [&](train::CheckpointOptions options) {
    train::Checkpointer run(folder_, {{"random", random}}, options);
  };
  EXPECT_THAT(message<ValueError>([&] { make({.every = 0}); }),
              HasSubstr("every and keep must be positive, got 0 and 2"));
  std::ofstream(folder_) << "a file";
  EXPECT_THAT(message<FormatError>([&] { make({}); }), HasSubstr("cannot be made a folder"));
}

}  // namespace
}  // namespace tapegrad
