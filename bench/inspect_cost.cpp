// What looking costs: the processor time, on one thread, of training steps with a Microscope at its default and with FirstNan, beside that of the same
// steps without. Rounds of the three take turns, and the median of the rounds' ratios is shown.
#include <tapegrad/inspect/first_nan.h>
#include <tapegrad/inspect/microscope.h>
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

using namespace tapegrad;

namespace {

constexpr int kRounds = 9, kSteps = 200;

template <class Model, class Loss>
void measure(const char* name, Model model, Loss loss_of) {
  optim::Adam adam(model.parameters(), {.lr = 1e-4});
  const std::string log = (std::filesystem::temp_directory_path() / "tapegrad_inspect_cost.jsonl").string();
  inspect::Microscope scope(model, adam, {.log = log});
  inspect::FirstNan nan(model);
  const auto seconds = [&](int mode) {
    const std::clock_t begin = std::clock();
    for (int i = 0; i < kSteps; ++i) {
      TapeOptions options;
      if (mode == 1) options = scope.watch();
      if (mode == 2) options.observers = {&nan};
      Tape tape(options);
      const Tensor loss = loss_of(model);
      adam.zero_grad();
      tape.backward(loss);
      adam.step();
      if (mode == 1) scope.step(loss.item());
    }
    return double(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  seconds(0);
  std::vector<double> plain, with_scope, with_nan;
  for (int round = 0; round < kRounds; ++round) {
    const double base = (seconds(0) + seconds(0)) / 2, scoped = seconds(1), checked = seconds(2);
    plain.push_back(1e3 * base / kSteps);
    with_scope.push_back(100 * (scoped / base - 1));
    with_nan.push_back(100 * (checked / base - 1));
  }
  const auto median = [](std::vector<double> x) {
    std::nth_element(x.begin(), x.begin() + kRounds / 2, x.end());
    return x[kRounds / 2];
  };
  fmt::print("{:<34} {:8.3f} ms   Microscope {:+5.1f} %   FirstNan {:+5.1f} %\n", name, median(plain),
             median(with_scope), median(with_nan));
  std::filesystem::remove(log);
}

}  // namespace

int main() {
  set_num_threads(1);
  manual_seed(0);
  const Tensor x = randn({128, 64}), y = randint(0, 10, {128});
  measure("MLP 64-256-256-10, LayerNorm, 128",
          nn::Sequential(nn::Linear(64, 256), nn::LayerNorm(256), nn::ReLU(), nn::Linear(256, 256), nn::LayerNorm(256),
                         nn::ReLU(), nn::Linear(256, 10)),
          [&](auto& model) { return cross_entropy(model(x), y); });
  const Tensor sequence = randn({50, 32, 32});
  measure("LSTM 32-128, layer norm, 50 steps", nn::LSTM(32, 128, {.norm = nn::Norm::layer}),
          [&](auto& model) { return mean(square(model(sequence).output)); });
}
