// A run is saved as the states of its parts, and a new run goes on from them with the same bits.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cstdio>
#include <limits>

#include "support/message.h"

namespace tapegrad {
namespace {

struct Mlp : nn::Module<Mlp> {
  nn::Linear fc1 = add("fc1", nn::Linear(4, 8));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(8));
  nn::Dropout drop = add("drop", nn::Dropout(0.3));
  nn::Linear fc2 = add("fc2", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) { return fc2(drop(relu(norm(fc1(x))))); }
};

data::TensorDataset samples() {
  manual_seed(11);
  const Tensor x = randn({26, 4});
  return {x, randint(0, 3, {26})};
}

struct Training {
  Mlp model;
  data::DataLoader loader{samples(), {.batch_size = 4, .shuffle = true, .seed = 7}};
  optim::Adam optimizer{model.named_parameters(), {.lr = 1e-2}};
  optim::CosineAnnealingLR schedule{optimizer, {.T_max = 40}};
  Generator random{5, 2};
  train::Meter losses;
  StateGroup all{{"model", model},   {"optimizer", optimizer}, {"schedule", schedule},        {"loader", loader},
                 {"random", random}, {"losses", losses},       {"masks", default_generator()}};

  void train_until(int64_t steps) {
    loader.seek(loader.epoch(), loader.position());
    while (schedule.steps() < steps)
      for (auto [x, y] : loader) {
        Tape tape;
        const Tensor loss = cross_entropy(dropout(model(x), 0.1, true, &random), y);
        optimizer.zero_grad();
        tape.backward(loss);
        optimizer.step();
        schedule.step();
        losses.add(loss.item());
        if (schedule.steps() == steps) return;
      }
  }
};

std::vector<std::pair<std::string, std::vector<double>>> bits(const StateDict& state) {
  std::vector<std::pair<std::string, std::vector<double>>> out;
  for (const auto& [name, value] : state) out.emplace_back(name, value.to(float64).to_vector<double>());
  return out;
}

TEST(StateGroup, GoesOnWithTheSameBitsInFreshObjects) {
  const std::string file = ::testing::TempDir() + "tapegrad_state_group.safetensors";
  manual_seed(1);
  Training straight;
  straight.train_until(10);
  save(file, straight.all.state_dict());
  straight.train_until(24);
  const auto expected = bits(straight.all.state_dict());

  manual_seed(99);
  Training resumed;
  resumed.all.load_state_dict(load(file));
  std::remove(file.c_str());
  resumed.train_until(24);
  EXPECT_EQ(bits(resumed.all.state_dict()), expected);
  EXPECT_EQ(resumed.losses.mean(), straight.losses.mean());
}

TEST(StateGroup, PutsEverythingBackWhereOnePartRefuses) {
  manual_seed(1);
  Training run;
  run.train_until(3);
  StateDict other = run.all.state_dict();
  for (auto& [name, value] : other) value = value.clone();
  run.train_until(9);
  const auto before = bits(run.all.state_dict());
  const double lr = run.optimizer.lr();
  other["losses.sum"] = zeros({2});
  EXPECT_EQ(message<ValueError>([&] { run.all.load_state_dict(other); }),
            "Meter: load_state_dict: the state does not fit; 'sum' must be float64 [1], got float32 [2]");
  EXPECT_EQ(bits(run.all.state_dict()), before);
  EXPECT_EQ(run.optimizer.lr(), lr);
}

TEST(StateGroup, NamesThePartsThatAreMissingOrUnknown) {
  train::Meter a, b;
  StateGroup group{{"a", a}, {"b", b}};
  StateDict state = group.state_dict();
  state.erase("b.sum");
  state.erase("b.weight");
  state["c.sum"] = zeros({1});
  EXPECT_EQ(message<ValueError>([&] { group.load_state_dict(state); }),
            "StateGroup: load_state_dict: the state does not fit; nothing of 'b'; 'c' is unknown");
  EXPECT_EQ(message<ValueError>([&] { StateGroup{{"a", a}, {"a", b}}; }), "StateGroup: the name 'a' is taken");
  EXPECT_EQ(message<ValueError>([&] {
              StateGroup{{"a.b", a}};
            }),
            "StateGroup: a name must not be empty or contain a dot, got 'a.b'");
}

TEST(DataLoader, RefusesAStateThatDoesNotFit) {
  data::DataLoader loader(samples(), {.batch_size = 4});
  StateDict state = loader.state_dict();
  state["position"] = from_vector(std::vector<int64_t>{8}, {1});
  state["epoch"] = from_vector(std::vector<int64_t>{std::numeric_limits<int64_t>::max()}, {1});
  EXPECT_EQ(message<ValueError>([&] { loader.load_state_dict(state); }),
            "DataLoader: load_state_dict: the state does not fit; 'epoch' must be in [0, 9007199254740992], got "
            "9223372036854775807; 'position' must be in [0, 7], got 8");
  EXPECT_EQ(loader.epoch(), 0);
}

}  // namespace
}  // namespace tapegrad
