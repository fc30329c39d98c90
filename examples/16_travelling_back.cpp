// Something went wrong in a run, long ago, and nobody had logged it. When did it begin, and what was there?
//
// One pixel of one digit is broken: it is 160,000 where others are up to 16. The order is shuffled, so at some step the
// network meets it, and from then on it only guesses, though all numbers are finite. A Recorder keeps checkpoints and a
// log; any step is run once more from the checkpoint before, bit for bit, and shows all its tensors.
//
//   16_travelling_back --run runs/digits                                     trains: the loss is bad in the end
//   16_travelling_back --travel runs/digits --bisect 'loss>1.5'              finds the step where that began, 222
//   16_travelling_back --travel runs/digits --step 222                       shows it: the largest input is 10,000
//   16_travelling_back --travel runs/digits --step 222 --print layer2.grad   any tensor of it, or a gradient
//   16_travelling_back --travel runs/digits --step 100 --branch runs/slow --branch-lr 0.001
//   16_travelling_back --run runs/slow                                       goes on from there, more slowly
//
// Without arguments it does the first three by itself, and checks that the digit was in the batch of the step it found.
#include <tapegrad/tapegrad.h>

#include <filesystem>
#include <random>

#include "runs.h"

using namespace tapegrad;

constexpr int64_t kSteps = 300;

struct Layer : nn::Module<Layer> {
  Layer(int64_t in, int64_t out) : fc(add("fc", nn::Linear(in, out))) {}
  Tensor forward(const Tensor& x) { return relu(fc(x)); }
  nn::Linear fc;
};

struct Mlp : nn::Module<Mlp> {
  Layer layer1 = add("layer1", Layer(64, 64)), layer2 = add("layer2", Layer(64, 64));
  nn::Linear head = add("head", nn::Linear(64, 10));
  Tensor forward(const Tensor& x) { return head(layer2(layer1(x / 16.0))); }
};

data::TensorDataset broken_digits() {
  const data::TensorDataset digits = data::csv(data_file("digits.csv"));
  const Tensor x = digits.x().clone();
  x[1234][27].fill_(160000);
  return {x, digits.y()};
}

struct Digits {
  Mlp model;
  data::DataLoader loader{broken_digits(), {.batch_size = 8, .shuffle = true, .seed = 2}};
  train::Batches<data::DataLoader> batches{loader};
  optim::SGD sgd{model.named_parameters(), {.lr = 0.05, .momentum = 0.9}};
  train::Recorder run;

  explicit Digits(const std::string& folder)
      : run(folder, {{"model", model}, {"sgd", sgd}, {"loader", loader}}, [this](Tape& tape, int64_t) {
          const auto [x, y] = batches.next();
          const Tensor loss = cross_entropy(model(x), y);
          sgd.zero_grad();
          tape.backward(loss);
          sgd.step();
          return loss;
        }) {}

  bool train() {
    train::Meter loss;
    for (int64_t step = run.resume(); step < kSteps; ++step) {
      if (!run.step(step)) return false;
      if (step >= kSteps - 50) loss.add(run.loss());
    }
    fmt::print("{} steps, the mean loss of the last 50 is {:.2f}\n", kSteps, loss.mean());
    return true;
  }
};

int main(int argc, char** argv) {
  return run(argc, argv, "Finds the step where a run went wrong.", [](Arguments& arguments) {
    const std::string folder = arguments.text("run", "", "train in this folder, or go on there");
    const Travel travel = travel_arguments(arguments);
    arguments.finish();
    manual_seed(0);
    if (!travel.folder.empty()) {
      fmt::print("{}", Digits(travel.folder).run.answer(travel.question));
      return 0;
    }
    if (!folder.empty()) return Digits(folder).train() ? 0 : 1;

    const auto own = std::filesystem::temp_directory_path() / fmt::format("tapegrad_{}", std::random_device()());
    Digits digits(own.string());
    if (!digits.train()) return 1;
    const int64_t step = digits.run.bisect(train::condition("loss>1.5"));
    const train::PastStep past = digits.run.travel(step);
    fmt::print("it went wrong at step {}, {} replays\n{}\n", step, digits.run.replays(), past);
    std::filesystem::remove_all(own);
    return max(past["%0"]).item() == 10000 ? 0 : 1;  // the batch, divided by 16
  });
}
