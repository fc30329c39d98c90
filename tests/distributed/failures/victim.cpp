// A job that something happens to: run.sh kills and stops its ranks, and --throws RANK STEP makes one throw. It trains with
// checkpoints, goes on from the newest, and prints in the end a number that any other bit in its parameters would change.
#include <tapegrad/distributed.h>
#include <tapegrad/tapegrad.h>

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

using namespace tapegrad;

struct Net : nn::Module<Net> {
  nn::Linear in = add("in", nn::Linear(16, 64));
  distributed::SyncBatchNorm norm = add("norm", distributed::SyncBatchNorm(64));
  nn::Dropout drop = add("drop", nn::Dropout(0.1));
  nn::Linear out = add("out", nn::Linear(64, 4));
  Tensor forward(const Tensor& x) { return out(drop(relu(norm(in(x))))); }
};

int main(int argc, char** argv) {  // FOLDER STEPS DEADLINE [THROWING_RANK STEP]
  const std::string folder = argv[1];
  const int64_t steps = std::atoi(argv[2]), bad_rank = argc > 4 ? std::atoi(argv[4]) : -1;
  const int64_t bad_step = argc > 5 ? std::atoi(argv[5]) : -1;
  distributed::Context mpi(argc, argv, {.deadline = std::atof(argv[3])});
  manual_seed(1);
  Net net;
  const Tensor x = randn({400, 16}), y = argmax(matmul(x, randn({16, 4})), 1);
  distributed::DataParallel parallel(net, mpi);
  optim::AdamW optimizer(net.named_parameters(), {.lr = 1e-3});
  data::DataLoader loader({x, y}, {.batch_size = 64, .shuffle = true, .seed = 1, .shard = mpi.shard()});
  distributed::Checkpointer run(
      mpi, folder, {{"net", net}, {"optimizer", optimizer}, {"loader", loader}, {"random", default_generator()}},
      {.every = 10});
  std::ofstream(fmt::format("{}/pid.{}", folder, mpi.rank())) << getpid();
  for (int64_t step = run.resume(); step < steps;)
    for (auto [x, y] : loader) {
      if (mpi.rank() == bad_rank && step == bad_step) {
        std::ofstream(folder + "/thrown") << step;
        throw std::runtime_error("a disk is full");
      }
      Tape tape;
      const Tensor loss = parallel([](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); }, x, y);
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
      run.step(++step);
      if (step == steps) break;
    }
  double hash = 0;
  for (const Tensor& p : net.parameters())
    for (float value : p.to_vector<float>()) {
      uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      hash = std::fmod(hash * 31 + bits, 9007199254740881.0 / 64);
    }
  fmt::print("trained {:.0f}\n", hash);
  return 0;
}
