// What it costs to record a run at the Recorder's own pace: the time of a step of which nothing is in the step function, in
// a run that is recorded and in one that is not, as a share of the step function's time. Waiting for the disk counts.
//
//   recorder_cost [seconds a turn] [turns]
#include <fmt/format.h>
#include <tapegrad/tapegrad.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

using namespace tapegrad;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// An MLP on noise.
void compare(const char* name, int64_t width, int64_t batch, double seconds, int turns) {
  manual_seed(0);
  nn::Sequential model(nn::Linear(64, width), nn::LayerNorm(width), nn::ReLU(), nn::Linear(width, width), nn::ReLU(),
                       nn::Linear(width, 10));
  optim::Adam adam(model.named_parameters(), {.lr = 1e-5});
  const Tensor x = randn({batch, 64}), y = randint(0, 10, {batch});
  double inside = 0;  // the step function
  const auto step = [&](Tape& tape, int64_t) {
    const double begin = now();
    const Tensor loss = cross_entropy(model(x), y);
    adam.zero_grad();
    tape.backward(loss);
    adam.step();
    inside += now() - begin;
    return loss;
  };
  const auto folder = std::filesystem::current_path() / "recorder_cost";
  double plain = 0, recorded = 0, of_steps = 0;  // outside it, a step; inside it
  int64_t steps = 0, plain_steps = 0, checkpoints = 0;
  for (int turn = 0; turn < turns; ++turn) {
    inside = 0;
    double begin = now();
    for (; now() - begin < seconds; ++plain_steps) {
      Tape tape;
      if (!(step(tape, plain_steps).item() < 1e9)) std::abort();
    }
    plain += now() - begin - inside;
    std::filesystem::remove_all(folder);
    train::Recorder run(folder.string(), {{"model", model}, {"adam", adam}}, step);
    int64_t at = run.resume();
    inside = 0;
    begin = now();
    while (now() - begin < seconds) run.step(at++);
    recorded += now() - begin - inside;
    of_steps += inside;
    steps += at;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      checkpoints += entry.path().extension() == ".safetensors";
  }
  std::filesystem::remove_all(folder);
  const double a = plain / double(plain_steps), b = recorded / double(steps), c = of_steps / double(steps);
  fmt::print("{:<20} {:>8} parameters, a step {:8.4f} ms, recording {:+.2f} %, {} checkpoints in {} s\n", name,
             model.parameter_count(), 1e3 * c, 100 * (b - a) / c, checkpoints, seconds * turns);
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  const int turns = argc > 2 ? std::atoi(argv[2]) : 5;
  set_num_threads(1);
  compare("mlp 64, batch 32", 64, 32, seconds, turns);
  compare("mlp 512, batch 64", 512, 64, seconds, turns);
  compare("mlp 2048, batch 64", 2048, 64, seconds, turns);
}
