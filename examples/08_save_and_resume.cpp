// Stop and go on: a training run that is stopped in the middle, and continued by a new process, ends with the same bits as
// one that was never stopped.
//
// What the next step depends on: the parameters and buffers of the model; the moments and step counts of the
// optimizer; where the schedule of the learning rate is; which batch comes next; and where the random numbers
// are (dropout reads them). A Checkpointer keeps all of these in one safetensors file, which other programs can read too.
//
//   08_save_and_resume --run runs/digits --steps 1000000     until Ctrl-C; the same command goes on
//
// Without arguments the program trains 200 steps in one go, then 120 steps, starts itself anew for the rest, and compares.
#include <tapegrad/tapegrad.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "arguments.h"

using namespace tapegrad;

struct Mlp : nn::Module<Mlp> {
  nn::Linear fc1 = add("fc1", nn::Linear(64, 64));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(64));
  nn::Dropout drop = add("drop", nn::Dropout(0.2));
  nn::Linear fc2 = add("fc2", nn::Linear(64, 10));
  Tensor forward(const Tensor& x) { return fc2(drop(relu(norm(fc1(x))))); }
};

// All that a run consists of.
struct Run {
  Mlp model;
  data::DataLoader loader{data::csv(data_file("digits.csv")), {.batch_size = 32, .shuffle = true, .seed = 7}};
  train::Batches<data::DataLoader> batches{loader};
  optim::AdamW optimizer{model.named_parameters(), {.lr = 2e-3}};
  optim::CosineAnnealingLR schedule{optimizer, {.T_max = 200}};
  train::Checkpointer checkpoints;

  explicit Run(const std::string& folder)
      : checkpoints(folder,
                    {{"model", model},
                     {"optimizer", optimizer},
                     {"schedule", schedule},
                     {"loader", loader},
                     {"random", default_generator()}},
                    {.every = 40}) {}

  // Trains from where it was, and returns false where Ctrl-C stopped it.
  bool train_until(int64_t steps) {
    int64_t step = checkpoints.resume();
    if (step > 0) fmt::print("goes on at step {}\n", step);
    while (step < steps) {
      auto [x, y] = batches.next();
      {
        Tape tape;
        const Tensor loss = cross_entropy(model(x / 16.0), y);
        optimizer.zero_grad();
        tape.backward(loss);
      }
      optimizer.step();
      schedule.step();
      if (!checkpoints.step(++step)) return false;
    }
    return true;
  }
};

// The names of the tensors whose bits differ.
std::vector<std::string> differences(const StateDict& a, const StateDict& b) {
  std::vector<std::string> names;
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    const bool same = other != b.end() && value.shape() == other->second.shape() &&
                      value.dtype() == other->second.dtype() &&
                      eq(value, other->second).to_vector<bool>() == std::vector<bool>(size_t(value.numel()), true);
    if (!same) names.push_back(name);
  }
  return names;
}

int main(int argc, char** argv) {
  const std::string program = argv[0];
  return run(argc, argv, "Trains, stops, and goes on with the same bits.", [&](Arguments& arguments) {
    const std::string folder = arguments.text("run", "", "train in this folder, or go on there");
    const int64_t steps = arguments.integer("steps", 200, "to train", {1});
    arguments.finish();

    if (!folder.empty()) return Run(folder).train_until(steps) ? 0 : 1;

    const auto own = std::filesystem::temp_directory_path() / fmt::format("tapegrad_{}", std::random_device()());
    const std::string whole = (own / "whole").string(), parts = (own / "parts").string();
    manual_seed(1);
    Run uninterrupted(whole);
    uninterrupted.train_until(200);
    {
      manual_seed(1);
      Run stopped(parts);
      stopped.train_until(120);
    }
    std::fflush(stdout);
    if (std::system(fmt::format("\"{}\" --run \"{}\"", program, parts).c_str()) != 0) return 1;

    const StateDict expected = load(uninterrupted.checkpoints.path(200)),
                    continued = load(Run(parts).checkpoints.path(200));
    std::filesystem::remove_all(own);
    const std::vector<std::string> names = differences(expected, continued);
    if (names.empty())
      fmt::print("the same bits in all {} tensors\n", expected.size());
    else
      fmt::print("these differ: {}\n", fmt::join(names, ", "));
    return names.empty() ? 0 : 1;
  });
}
