// Stop and go on: a training run that is saved in the middle, and continued from the file by a new process,
// ends with the same bits as one that was never stopped.
//
// What the next step depends on: the parameters and buffers of the model; the moments and step counts of the
// optimizer; where the schedule of the learning rate is; which batch comes next; and where the random numbers
// are (dropout reads them). Each of these parts has a state_dict(); a StateGroup is all of them as one, and goes
// into one safetensors file, which other programs can read too.
//
// Without arguments the program trains 200 steps in one go, then 120 steps, saves, starts itself anew with
// --resume FILE for the rest, and compares.
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
  optim::AdamW optimizer{model.named_parameters(), {.lr = 2e-3}};
  optim::CosineAnnealingLR schedule{optimizer, {.T_max = 200}};

  StateGroup all{{"model", model},
                 {"optimizer", optimizer},
                 {"schedule", schedule},
                 {"loader", loader},
                 {"random", default_generator()}};

  void train_until(int64_t steps) {
    loader.seek(loader.epoch(), loader.position());  // the next loop is the rest of the epoch
    while (schedule.steps() < steps) {
      for (auto [x, y] : loader) {
        Tape tape;
        const Tensor loss = cross_entropy(model(x / 16.0), y);
        optimizer.zero_grad();
        tape.backward(loss);
        optimizer.step();
        schedule.step();
        if (schedule.steps() == steps) return;
      }
    }
  }
};

// The names of the tensors whose bits differ.
std::vector<std::string> differences(const StateDict& a, const StateDict& b) {
  std::vector<std::string> names;
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    const bool same =
        other != b.end() && value.shape() == other->second.shape() &&
        value.dtype() == other->second.dtype() &&
        eq(value, other->second).to_vector<bool>() == std::vector<bool>(size_t(value.numel()), true);
    if (!same) names.push_back(name);
  }
  return names;
}

int main(int argc, char** argv) {
  const std::string program = argv[0];
  return run(argc, argv, "Trains, stops, and goes on with the same bits.", [&](Arguments& arguments) {
    const std::string resume =
        arguments.text("resume", "", "go on from this file to step 200, and save there");
    arguments.finish();

    if (!resume.empty()) {
      Run rest;
      rest.all.load_state_dict(load(resume));
      fmt::print("a new process goes on at step {}\n", rest.schedule.steps());
      rest.train_until(200);
      save(resume, rest.all.state_dict());
      return 0;
    }

    const auto folder = std::filesystem::temp_directory_path();
    const std::string whole =
        (folder / fmt::format("tapegrad_whole_{}.safetensors", std::random_device()())).string();
    const std::string parts = whole + ".parts";
    manual_seed(1);
    Run uninterrupted;
    uninterrupted.train_until(200);
    save(whole, uninterrupted.all.state_dict());

    manual_seed(1);
    Run stopped;
    stopped.train_until(120);
    save(parts, stopped.all.state_dict());
    std::fflush(stdout);
    if (std::system(fmt::format("\"{}\" --resume \"{}\"", program, parts).c_str()) != 0) return 1;

    const StateDict expected = load(whole), resumed = load(parts);
    std::filesystem::remove(whole);
    std::filesystem::remove(parts);
    const std::vector<std::string> names = differences(expected, resumed);
    if (names.empty())
      fmt::print("the same bits in all {} tensors\n", expected.size());
    else
      fmt::print("these differ: {}\n", fmt::join(names, ", "));
    return names.empty() ? 0 : 1;
  });
}
