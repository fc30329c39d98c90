// What it costs to record a run: CPU time of the same steps with and without a Recorder at its own pace, in turn. What a
// save waits for the disk is no CPU time; a Recorder saves again only after a hundred times as long.
//
//   recorder_cost [seconds a turn] [turns]
#include <fmt/format.h>
#include <tapegrad/tapegrad.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>

using namespace tapegrad;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double cpu_time() { return double(std::clock()) / CLOCKS_PER_SEC; }

// An MLP on noise: what is compared is the time of a step.
void compare(const char* name, int64_t width, int64_t batch, double seconds, int turns) {
  manual_seed(0);
  nn::Sequential model(nn::Linear(64, width), nn::LayerNorm(width), nn::ReLU(), nn::Linear(width, width), nn::ReLU(),
                       nn::Linear(width, 10));
  optim::Adam adam(model.named_parameters(), {.lr = 1e-5});
  const Tensor x = randn({batch, 64}), y = randint(0, 10, {batch});
  const auto step = [&](Tape& tape, int64_t) {
    const Tensor loss = cross_entropy(model(x), y);
    adam.zero_grad();
    tape.backward(loss);
    adam.step();
    return loss;
  };
  const auto folder = std::filesystem::current_path() / "recorder_cost";
  std::filesystem::remove_all(folder);
  train::Recorder run(folder.string(), {{"model", model}, {"adam", adam}}, step);
  int64_t recorded_steps = run.resume(), plain_steps = 0;
  double plain = 0, recorded = 0;
  for (int turn = 0; turn < turns; ++turn) {
    double begin = cpu_time();
    for (const double end = now() + seconds; now() < end; ++plain_steps) {
      Tape tape;
      if (!(step(tape, plain_steps).item() < 1e9)) std::abort();
    }
    plain += cpu_time() - begin;
    begin = cpu_time();
    for (const double end = now() + seconds; now() < end;) run.step(recorded_steps++);
    recorded += cpu_time() - begin;
  }
  int64_t checkpoints = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    checkpoints += entry.path().extension() == ".safetensors";
  const double a = plain / double(plain_steps), b = recorded / double(recorded_steps);
  fmt::print("{:<20} {:>8} parameters  {:9.4f} ms plain  {:9.4f} ms recorded  {:+.2f} %  {} checkpoints\n", name,
             model.parameter_count(), 1e3 * a, 1e3 * b, 100 * (b / a - 1), checkpoints);
  std::filesystem::remove_all(folder);
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  const int turns = argc > 2 ? std::atoi(argv[2]) : 20;
  set_num_threads(1);
  compare("mlp 64, batch 32", 64, 32, seconds, turns);
  compare("mlp 512, batch 64", 512, 64, seconds, turns);
  compare("mlp 2048, batch 64", 2048, 64, seconds, turns);
}
