#include <tapegrad/inspect/microscope.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tapegrad {
namespace {

using inspect::Microscope;
using inspect::ParameterView;
using inspect::SiteView;

std::string file(const std::string& name) { return (std::filesystem::temp_directory_path() / name).string(); }

const SiteView& site(const Microscope& scope, const std::string& name) {
  for (const auto& [key, view] : scope.last().sites)
    if (key == name) return view;
  ADD_FAILURE() << "no site " << name;
  static const SiteView none;
  return none;
}

struct Net : nn::Module<Net> {
  nn::Linear fc1 = add("fc1", nn::Linear(2, 3));
  nn::Linear fc2 = add("fc2", nn::Linear(3, 1));
  Tensor forward(const Tensor& x) { return fc2(relu(fc1(x))); }
};

TEST(Microscope, SeesActivationsGradientsAndUpdates) {
  Net net;
  net.fc1.weight.copy_(tensor({{1, 0}, {0, 1}, {-1, -1}}));
  net.fc1.bias.zero_();
  net.fc2.weight.copy_(tensor({{1, 1, 1}}));
  net.fc2.bias.zero_();
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  Microscope scope(net, sgd, {.bins = 2});
  {
    Tape tape(scope.watch());
    const Tensor loss = sum(net(tensor({{1, 2}, {3, 4}})));
    tape.backward(loss);
    sgd.step();
    scope.step(loss.item());
  }
  // fc1 gives {1, 2, -3}, {3, 4, -7}
  const SiteView& fc1 = site(scope, "fc1 linear");
  EXPECT_NEAR(fc1.activation.mean, 0, 1e-12);
  EXPECT_NEAR(fc1.activation.std, std::sqrt((1 + 4 + 9 + 9 + 16 + 49) / 6.0), 1e-6);
  EXPECT_EQ(fc1.activation.min, -7);
  EXPECT_EQ(fc1.activation.max, 4);
  EXPECT_EQ(fc1.activation.counts, (std::vector<int64_t>{2, 4}));  // halves at -1.5
  EXPECT_NEAR(site(scope, "relu").dead, 1 / 3.0, 1e-12);
  EXPECT_NEAR(fc1.gradient_norm, 2, 1e-6);  // four ones, and zeros for the dead unit
  // dw = [[4, 6], [4, 6], [0, 0]]
  const ParameterView& w = scope.last().parameters[0].second;
  EXPECT_EQ(scope.last().parameters[0].first, "fc1.weight");
  EXPECT_NEAR(w.gradient_norm, std::sqrt(104.0), 1e-5);
  EXPECT_NEAR(w.update_ratio, 0.1 * std::sqrt(104.0) / 2, 1e-6);
}

TEST(Microscope, SeesSaturatedGates) {
  nn::Sequential net(nn::Linear(1, 4), nn::Sigmoid());
  net.parameters()[0].copy_(tensor({{10}, {-10}, {1}, {0}}));
  net.parameters()[1].zero_();
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  Microscope scope(net, sgd);
  Tape tape(scope.watch());
  tape.backward(sum(net(ones({1, 1}))));
  scope.step(0);
  EXPECT_EQ(site(scope, "1 sigmoid").saturated, 0.5);
}

template <class Layer>
void compare_gates(nn::Norm norm) {
  manual_seed(1);
  Layer layer(3, 5, {.norm = norm});
  for (Tensor p : layer.parameters()) p.copy_(p * 4.0);
  const Tensor x = randn({7, 2, 3});
  optim::SGD sgd(layer.parameters(), {.lr = 0.1});
  Microscope scope(layer, sgd);
  {
    Tape tape(scope.watch());
    tape.backward(sum(layer(x).output));
  }
  scope.step(0);
  const char* op = std::is_same_v<Layer, nn::LSTM> ? "lstm" : "gru";
  const SiteView& view = site(scope, op);
  ASSERT_EQ(view.saturated_at.size(), 7u);
  ASSERT_EQ(view.gradient_at.size(), 7u);
  // The cell, step by step, whose gates a tape shows.
  struct Watch : TapeObserver {
    int64_t count = 0, all = 0;
    bool candidate = false;
    void on_forward(const OperationView& o, const Tensors&, const Tensors& y) override {
      const std::string name = o.name;
      if (name != "sigmoid" && name != "tanh") return;
      if (name == "tanh" && std::exchange(candidate, true)) return;  // that of the cell's state
      for (const float v : y[0].contiguous().to_vector<float>())
        count += v > 0.97f || v < (name == "tanh" ? -0.97f : 0.03f);
      all += y[0].numel();
    }
  };
  const RecurrentParameters w = layer.cells[0].recurrent_parameters();
  Tensor h = zeros({2, 5}), c = zeros({2, 5});
  for (int64_t t = 0; t < 7; ++t) {
    Watch watch;
    Tape inner({.observers = {&watch}});
    RecurrentOptions options = layer.cells[0].config;
    const Tensors next = recurrent_step(linear(x[t], layer.cells[0].weight_ih).detach(), h, c, w, options);
    h = next[0].detach();
    if (next.size() > 1) c = next[1].detach();
    EXPECT_NEAR(view.saturated_at[size_t(t)], double(watch.count) / double(watch.all), 1e-6) << t;
  }
}

TEST(Microscope, SeesTheGatesOfAFusedLayerAtEachTimeStep) {
  compare_gates<nn::GRU>(nn::Norm::none);
  compare_gates<nn::GRU>(nn::Norm::layer);
  compare_gates<nn::LSTM>(nn::Norm::none);
  compare_gates<nn::LSTM>(nn::Norm::layer);
}

TEST(Microscope, SeesTheLayersOfAStackApart) {
  struct Reader : nn::Module<Reader> {
    nn::LSTM lstm = add("lstm", nn::LSTM(3, 4, {.num_layers = 2}));
    Tensor forward(const Tensor& x) { return lstm(x).output; }
  } reader;
  optim::SGD sgd(reader.parameters(), {.lr = 0.1});
  Microscope scope(reader, sgd);
  Tape tape(scope.watch());
  tape.backward(sum(reader(randn({6, 2, 3}))));
  scope.step(0);
  for (const char* layer : {"lstm lstm", "lstm lstm#2"}) EXPECT_EQ(site(scope, layer).gradient_at.size(), 6u) << layer;
  EXPECT_EQ(site(scope, "lstm linear#2").std_at.size(), 0u);
}

TEST(Microscope, SeesEachTimeStepOfALayerThatIsALoop) {
  manual_seed(2);
  nn::LSTM lstm(3, 4, {.zoneout = 0.1});
  optim::SGD sgd(lstm.parameters(), {.lr = 0.1});
  Microscope scope(lstm, sgd);
  Tape tape(scope.watch());
  tape.backward(sum(lstm(randn({6, 2, 3})).output));
  scope.step(0);
  for (const char* gate : {"sigmoid", "sigmoid#2", "sigmoid#3", "tanh", "tanh#2"}) {
    EXPECT_EQ(site(scope, gate).std_at.size(), 6u) << gate;
    EXPECT_EQ(site(scope, gate).gradient_at.size(), 6u) << gate;
  }
  EXPECT_EQ(site(scope, "sigmoid").saturated_at, std::vector<double>(6, 0.0));
}

TEST(Microscope, ShowsTheGradientVanishOverTime) {
  manual_seed(0);
  nn::RNN rnn(1, 8);
  for (Tensor p : rnn.parameters()) p.copy_(p * 0.3);
  optim::SGD sgd(rnn.parameters(), {.lr = 0.1});
  Microscope scope(rnn, sgd);
  Tape tape(scope.watch());
  tape.backward(sum(rnn(randn({30, 4, 1})).output[29]));
  scope.step(0);
  const std::vector<double>& at = site(scope, "rnn").gradient_at;
  ASSERT_EQ(at.size(), 30u);
  EXPECT_LT(at[0], 1e-6 * at[29]);
}

TEST(Microscope, LooksEveryKStepsAndChangesNothing) {
  const auto train = [](bool look) {
    manual_seed(3);
    Net net;
    optim::Adam adam(net.parameters(), {.lr = 0.01});
    Microscope scope(net, adam, {.every = 4});
    for (int i = 0; i < 10; ++i) {
      Tape tape(look ? scope.watch() : TapeOptions{});
      const Tensor loss = mean(net(randn({8, 2})));
      adam.zero_grad();
      tape.backward(loss);
      adam.step();
      if (look) scope.step(loss.item());
    }
    if (look) {
      EXPECT_EQ(scope.last().step, 8);
    }
    return net.fc1.weight.to_vector<float>();
  };
  EXPECT_EQ(train(true), train(false));
}

TEST(Microscope, WritesALineOfJsonForEachStep) {
  const std::string log = file("tapegrad_microscope.jsonl");
  {
    Net net;
    optim::SGD sgd(net.parameters(), {.lr = 0.1});
    Microscope scope(net, sgd, {.log = log, .every = 2, .config = {{"hidden", "3"}}});
    for (int i = 0; i < 3; ++i) {
      Tape tape(scope.watch());
      tape.backward(mean(net(randn({8, 2}))));
      sgd.step();
      scope.step(i == 1 ? std::nan("") : 0.5, {{"accuracy", 0.25}});
    }
    scope.note("a \"finding\"");
  }
  std::ifstream in(log);
  std::map<std::string, int> kinds;
  for (std::string line; std::getline(in, line);) {
    const auto j = nlohmann::json::parse(line);
    ++kinds[j.contains("run")      ? "run"
            : j.contains("step")   ? "step"
            : j.contains("look")   ? "look"
            : j.contains("layers") ? "layers"
                                   : "note"];
    if (!j.contains("step")) continue;
    EXPECT_EQ(j["loss"].is_null(), j["step"] == 1);
    EXPECT_EQ(j["metrics"]["accuracy"], 0.25);
  }
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"run", 1}, {"step", 3}, {"look", 2}, {"layers", 1}, {"note", 1}}));
  std::filesystem::remove(log);
}

TEST(Microscope, RefusesOptionsOutOfRange) {
  Net net;
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  EXPECT_THAT([&] { Microscope(net, sgd, {.every = 0}); },
              ::testing::ThrowsMessage<ValueError>(::testing::StrEq("Microscope: every must be at least 1, got 0")));
  EXPECT_THAT([&] { Microscope(net, sgd, {.log = "/nowhere/at/all"}); },
              ::testing::ThrowsMessage<FormatError>(::testing::HasSubstr("cannot write '/nowhere/at/all'")));
}

}  // namespace
}  // namespace tapegrad
