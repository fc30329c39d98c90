// What looking costs: the processor time, on one thread, of training steps under a Microscope and under FirstNan, beside that of the same
// steps without. A look is measured by looking at every step, and what is left by looking at none; its share at the default is computed from
// both. Rounds take turns, and the least time of each is taken.
#include <tapegrad/inspect/first_nan.h>
#include <tapegrad/inspect/microscope.h>
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

using namespace tapegrad;

namespace {

constexpr int kRounds = 25, kSteps = 40;

template <class Model, class Loss>
void measure(const char* name, Model model, Loss loss_of) {
  optim::Adam adam(model.parameters(), {.lr = 1e-4});
  const std::string log = (std::filesystem::temp_directory_path() / "tapegrad_inspect_cost.jsonl").string();
  const int64_t every = inspect::MicroscopeOptions().every;
  inspect::Microscope seldom(model, adam, {.log = log, .every = 1 << 30}),
      always(model, adam, {.log = log, .every = 1});
  inspect::FirstNan nan(model);
  const auto seconds = [&](inspect::Microscope* scope, bool check) {
    const std::clock_t begin = std::clock();
    for (int i = 0; i < kSteps; ++i) {
      TapeOptions options;
      if (scope) options = scope->watch();
      if (check) options.observers = {&nan};
      Tape tape(options);
      const Tensor loss = loss_of(model);
      adam.zero_grad();
      tape.backward(loss);
      adam.step();
      if (scope) scope->step(loss.item());
    }
    return double(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  seconds(&seldom, false), seconds(&always, false);
  double plain = 1e9, lined = 1e9, looked = 1e9, checked = 1e9;  // the least of the rounds
  for (int round = 0; round < kRounds; ++round) {
    plain = std::min(plain, seconds(nullptr, false));
    lined = std::min(lined, seconds(&seldom, false));
    looked = std::min(looked, seconds(&always, false));
    checked = std::min(checked, seconds(nullptr, true));
  }
  const double line = lined / plain - 1, look = (looked - lined) / plain;
  fmt::print(
      "{:<34} {:7.3f} ms   Microscope {:.1f} % (log {:.1f} %, a look {:.2f} steps, every {})   FirstNan "
      "{:.1f} "
      "%\n",
      name, 1e3 * plain / kSteps, 100 * (line + look / double(every)), 100 * line, look, every,
      100 * (checked / plain - 1));
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
