// A past step shows what the straight run had, bit for bit, and where something began is found in few replays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <set>

#include "support/message.h"
#include "train/runs.h"

namespace tapegrad {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Keeps all that a straight run has in a step, as anybody could who knew before which step it would be.
struct Keeper : TapeObserver {
  StateDict kept;
  std::map<int64_t, int64_t> place;
  std::map<const void*, std::string> names;
  int64_t count = 0;

  explicit Keeper(const nn::ModuleBase& model) {
    for (const auto& [name, p] : model.named_parameters()) names[p.data<float>().data()] = "model." + name;
  }
  void on_forward(const OperationView& operation, const Tensors&, const Tensors& outputs) override {
    place[operation.record] = count;
    for (size_t i = 0; i < outputs.size(); ++i) kept[fmt::format("%{}.{}", count, i)] = outputs[i].detach().clone();
    ++count;
  }
  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors&) override {
    for (size_t i = 0; i < dy.size(); ++i)
      if (dy[i].defined()) kept[fmt::format("%{}.{}.grad", place.at(operation.record), i)] = dy[i].clone();
  }
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override {
    kept[names.at(leaf.data<float>().data()) + ".grad"] = gradient.clone();
  }
};

template <class Kind>
class Travel : public ::testing::Test {
 protected:
  TestFolder folder_;
};
using Kinds = ::testing::Types<MlpParts, LstmParts>;
TYPED_TEST_SUITE(Travel, Kinds);

TYPED_TEST(Travel, ShowsAnyTensorOfAnyStepWithTheBitsThatItHad) {
  constexpr int64_t steps = 500;
  Generator random(3);
  std::map<int64_t, StateDict> had;
  while (had.size() < 20) had[random.below(steps)];
  StateDict end;
  {
    TestRun<TypeParam> straight;  // without a recorder
    const auto all = straight.template of_parts<StateGroup>();
    for (int64_t step = 0; step < steps; ++step) {
      Keeper keeper(straight.model);
      const bool chosen = had.contains(step);
      if (chosen)
        for (const auto& [name, value] : all->state_dict()) keeper.kept[name] = value.clone();
      Tape tape(chosen ? TapeOptions{.observers = {&keeper}} : TapeOptions{});
      straight.step(tape, step);
      if (chosen) had[step] = std::move(keeper.kept);
    }
    for (const auto& [name, value] : all->state_dict()) end[name] = value.clone();
  }

  TestRun<TypeParam> recorded;
  const auto run =
      recorded.template of_parts<train::Recorder>(this->folder_.path(), train::RecorderOptions{.every = 50});
  for (int64_t step = run->resume(); step < steps; ++step) ASSERT_TRUE(run->step(step));
  EXPECT_EQ(differences(recorded.template of_parts<StateGroup>()->state_dict(), end), std::vector<std::string>{});
  int pairs = 0;
  size_t shown = 0;
  for (const auto& [step, tensors] : had) {
    const train::PastStep past = run->travel(step);
    auto chosen = tensors.begin();
    std::advance(chosen, random.below(int64_t(tensors.size())));
    EXPECT_TRUE(same_bits(past[chosen->first], chosen->second)) << "step " << step << ": " << chosen->first;
    ++pairs;
    for (const auto& [name, value] : tensors) shown += same_bits(past[name], value);  // and the others too
  }
  size_t all = 0;
  for (const auto& [step, tensors] : had) all += tensors.size();
  EXPECT_EQ(shown, all);
  fmt::print("{} random pairs of step and tensor of a run of {} steps, and all {} tensors of those steps: equal\n",
             pairs, steps, shown);
}

struct Recorded : ::testing::Test {
  TestFolder folder;
  static void go(train::Recorder& run, int64_t steps) {
    for (int64_t step = run.resume(); step < steps; ++step) ASSERT_TRUE(run.step(step));
  }
  std::unique_ptr<train::Recorder> recorder(TestRun<MlpParts>& run, int64_t every = 10) {
    return run.of_parts<train::Recorder>(folder.path(), train::RecorderOptions{.every = every});
  }
};

/// x for 317 steps, and then NaN for good; every loss is written down.
struct Planted {
  struct Model : nn::Module<Model> {
    nn::Parameter w = add_parameter("w", ones({2}));
    Tensor forward(const Tensor& x) { return relu(w * x); }
  } model = {};
  int64_t at = 317;
  double bad = NAN;
  Tensor step(Tape& tape, int64_t step) {
    const Tensor loss = sum(model(tensor({1, 2})));
    model.zero_grad();
    tape.backward(loss);
    const NoGrad no_grad;
    model.w.copy_(step == at ? full({2}, bad) : model.w * 0.999);
    return loss;
  }
};

TEST_F(Recorded, FindsThePlantedStepInAboutLog2OfTheStepsReplays) {
  for (const int64_t at : {0, 49, 317}) {
    Planted planted{.at = at};
    train::Recorder run(folder / std::to_string(at), {{"model", planted.model}},
                        [&](Tape& tape, int64_t step) { return planted.step(tape, step); }, {.every = 10});
    go(run, 500);
    EXPECT_EQ(run.bisect(train::condition("nan")), at + 1);
    EXPECT_LE(run.replays(), 9) << "log2(500) = 8.97";
    EXPECT_EQ(run.bisect(train::condition("loss > 10")), at + 1) << "NaN is beyond every number";
    EXPECT_GT(run.travel(at + 1).not_finite(), 0);
    EXPECT_EQ(run.travel(at).not_finite(), 0);
  }
}

TEST_F(Recorded, FindsItInTheOnlyStep) {
  Planted planted;
  train::Recorder run(folder.path(), {{"model", planted.model}},
                      [&](Tape& tape, int64_t step) { return planted.step(tape, step); }, {.every = 1});
  go(run, 1);
  EXPECT_EQ(run.bisect(train::condition("loss > 1")), 0);
  EXPECT_EQ(run.bisect(train::condition("loss < 1")), -1);
}

TEST_F(Recorded, FindsDeadUnitsAndLargeLosses) {
  Planted planted{.at = 77, .bad = -4};
  train::Recorder run(folder / "dead", {{"model", planted.model}},
                      [&](Tape& tape, int64_t step) { return planted.step(tape, step); }, {.every = 7});
  go(run, 100);
  EXPECT_EQ(run.bisect(train::condition("dead(%1) > 0.5")), 78);
  EXPECT_EQ(run.bisect(train::condition("max(model.w) < 0")), 78);
  EXPECT_EQ(run.bisect(train::condition("grad_norm < 1")), 78);
  EXPECT_EQ(run.bisect(train::condition("loss > 10")), -1);
  EXPECT_EQ(run.answer({.bisect = "loss < 1"}).substr(0, 27), "loss < 1 holds from step 78");
}

TEST_F(Recorded, GoesOnInANewProcessAndAfterTravellingWithTheSameBits) {
  TestRun<MlpParts> straight;
  for (int64_t step = 0; step < 60; ++step) {
    Tape tape;
    straight.step(tape, step);
  }
  const StateDict end = straight.of_parts<StateGroup>()->state_dict();
  {
    TestRun<MlpParts> first;
    go(*recorder(first), 33);
  }
  TestRun<MlpParts> second;
  const auto run = recorder(second);
  EXPECT_EQ(run->resume(), 30);
  run->travel(12);
  EXPECT_THAT(message<ValueError>([&] { run->step(20); }), HasSubstr("got 20 where 13 is next"));
  go(*run, 60);
  EXPECT_EQ(run->log().size(), 60u);
  EXPECT_EQ(differences(second.of_parts<StateGroup>()->state_dict(), end), std::vector<std::string>{});
}

TEST_F(Recorded, BranchesWithAnotherLearningRate) {
  TestRun<MlpParts> run;
  {
    const auto trunk = recorder(run);
    go(*trunk, 40);
    EXPECT_EQ(trunk->answer({.step = 25, .branch = folder / "branch", .lr = 0.1}),
              (folder / "branch") + " begins at step 25\n");
    EXPECT_THAT(message<ValueError>([&] { trunk->branch(25, folder / "branch"); }),
                HasSubstr("has checkpoints already. Hint: branch into another"));
  }
  const auto branch = run.of_parts<train::Recorder>(folder / "branch", train::RecorderOptions{.every = 10});
  EXPECT_EQ(branch->resume(), 25);
  EXPECT_EQ(run.optimizer.lr(), optim::CosineAnnealingLROptions{.T_max = 600}.lr_at(25, 0.1));
  go(*branch, 40);
  EXPECT_EQ(branch->log().begin()->first, 25);
  EXPECT_THAT(message<IndexError>([&] { branch->travel(24); }), HasSubstr("no checkpoint at step 24 or before"));
  EXPECT_TRUE(same_bits(branch->travel(25)["fc1.weight"], recorder(run)->travel(25)["fc1.weight"]));
  EXPECT_FALSE(same_bits(branch->travel(27)["fc1.weight"], recorder(run)->travel(27)["fc1.weight"]));
}

TEST_F(Recorded, ShowsAStepThatThrew) {
  Planted planted;
  train::Recorder run(folder.path(), {{"model", planted.model}}, [&](Tape& tape, int64_t step) {
    const Tensor loss = planted.step(tape, step);
    if (step == 12) throw ValueError("planted");
    return loss;
  });
  EXPECT_THROW(go(run, 20), ValueError);
  const train::PastStep past = run.travel(12);
  EXPECT_EQ(past.error, "planted");
  EXPECT_TRUE(past["%1"].defined());
  EXPECT_THAT(message<IndexError>([&] { run.travel(13); }), HasSubstr("has the steps 0 to 11, got 13"));
}

TEST_F(Recorded, SaysWhereAStepDependsOnWhatIsInNoPart) {
  Planted planted;
  double outside = 1;
  train::Recorder run(folder.path(), {{"model", planted.model}},
                      [&](Tape& tape, int64_t step) { return planted.step(tape, step) * (outside += 1); });
  go(run, 5);
  EXPECT_THAT(message<ValueError>([&] { run.travel(3); }),
              HasSubstr("when it was run again. Hint: all that a step depends on must be in the parts"));
}

TEST_F(Recorded, LeavesOutATornLineAndPassesOverAChangedCheckpoint) {
  TestRun<MlpParts> first;
  go(*recorder(first), 35);
  std::filesystem::resize_file(folder / "log.jsonl", std::filesystem::file_size(folder / "log.jsonl") - 5);
  std::fstream(folder / "step-000000020.safetensors", std::ios::in | std::ios::out | std::ios::binary)
      .seekp(-3, std::ios::end)
      .put('\x55');
  std::FILE* const quiet = std::fopen("/dev/null", "w");
  TestRun<MlpParts> second;
  const auto run =
      second.of_parts<train::Recorder>(folder.path(), train::RecorderOptions{.every = 10, .stream = quiet});
  EXPECT_EQ(run->log().size(), 34u);
  EXPECT_EQ(run->travel(25).step, 25);
  go(*run, 50);
  EXPECT_EQ(run->log().size(), 50u);
  std::fclose(quiet);
}

TEST_F(Recorded, ForgetsWhatCameBehindWhereItGoesOn) {
  Planted planted{.at = 22, .bad = NAN};
  const auto step = [&](Tape& tape, int64_t at) { return planted.step(tape, at); };
  std::FILE* const quiet = std::fopen("/dev/null", "w");
  train::Recorder run(folder.path(), {{"model", planted.model}}, step, {.every = 5, .stream = quiet});
  go(run, 40);
  EXPECT_EQ(run.log().rbegin()->first, 39);
  planted.at = -1;  // the program was mended
  EXPECT_EQ(run.resume(), 20) << "the newest that is finite";
  EXPECT_EQ(run.log().rbegin()->first, 39) << "all is there until the run goes on";
  go(run, 31);
  EXPECT_EQ(run.log().rbegin()->first, 30);
  EXPECT_EQ(run.bisect(train::condition("nan")), -1);
  EXPECT_THAT(message<IndexError>([&] { run.travel(35); }), HasSubstr("has the steps 0 to 30, got 35"));
  std::fclose(quiet);
}

TEST_F(Recorded, ASignalSavesAndEndsTheLoop) {
  std::FILE* const quiet = std::fopen("/dev/null", "w");
  TestRun<MlpParts> mlp;
  const auto run = mlp.of_parts<train::Recorder>(folder.path(), train::RecorderOptions{.every = 1000, .stream = quiet});
  for (int64_t step = run->resume(); step < 7; ++step) ASSERT_TRUE(run->step(step));
  std::raise(SIGINT);
  EXPECT_FALSE(run->step(7));
  EXPECT_EQ(run->resume(), 8);
  std::fclose(quiet);
}

TEST_F(Recorded, TellsAStepInATableAndByName) {
  TestRun<MlpParts> mlp;
  const auto run = recorder(mlp);
  go(*run, 15);
  const std::string table = run->answer({.step = 12});
  EXPECT_THAT(table, HasSubstr("step 12: loss "));
  EXPECT_THAT(table, HasSubstr("dropout "));  // also where batch norm is made of operations
  EXPECT_THAT(table, HasSubstr("model.fc2.weight"));
  const train::PastStep past = run->travel(12);
  EXPECT_EQ(past["norm"].shape(), (Shape{8, 12}));
  EXPECT_EQ(past["model.norm.grad"].shape(), (Shape{8, 12}));
  EXPECT_EQ(past["norm.running_mean"].shape(), (Shape{12}));
  EXPECT_EQ(past["optimizer.fc1.weight.exp_avg"].shape(), (Shape{12, 6}));
  EXPECT_EQ(past["loss"].item(), past.loss);
  EXPECT_EQ(run->answer({.step = 12, .print = "fc2.bias"}), fmt::format("{}\n", past["fc2.bias"]));
  EXPECT_THAT(message<ValueError>([&] { past["nonsense"]; }), HasSubstr("step 12 has no 'nonsense'. Hint: print"));
  for (const char* text : {"", "loss >", "los > 1", "dead()x > 1", "max > 1", "loss > ten"})
    EXPECT_THAT(message<ValueError>([&] { train::condition(text); }), HasSubstr("is none. Hint: loss > 10"));
}

}  // namespace
}  // namespace tapegrad
