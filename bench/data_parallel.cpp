// One model on several ranks, or in the usual loop: data_parallel WORK BATCH SHARDS SECONDS [OVERLAP], with mpirun or without.
//
//   WORK     mlp, charlm or gpt, as in tapegrad_bench; sum: one all-reduce alone
//   BATCH    of all ranks together; for sum how many numbers
//   SHARDS   as ContextOptions has it, 0 for one a rank; -1 for the loop without DataParallel
//   OVERLAP  1 to send while the backward pass goes on; else 0
//
// Prints the least and the median time of a step in milliseconds, the time of the all-reduce in one step, the share of
// it that was hidden behind the backward pass, and the size of the gradients in MB.
#include <fmt/format.h>
#include <tapegrad/distributed.h>
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "distributed/tree.h"

namespace tg = tapegrad;
using tg::Tensor;

namespace {

struct Mlp : tg::nn::Module<Mlp> {
  tg::nn::Linear a = add("a", tg::nn::Linear(784, 1000)), b = add("b", tg::nn::Linear(1000, 1000)),
                 c = add("c", tg::nn::Linear(1000, 10));
  Tensor forward(const Tensor& x) { return c(relu(b(relu(a(x))))); }
};

struct CharModel : tg::nn::Module<CharModel> {
  tg::nn::Embedding embed = add("embed", tg::nn::Embedding(96, 256));
  tg::nn::LSTM rnn = add("rnn", tg::nn::LSTM(256, 256, {.batch_first = true, .norm = tg::nn::Norm::layer}));
  tg::nn::Linear head = add("head", tg::nn::Linear(256, 96));
  Tensor forward(const Tensor& x) { return head(rnn(embed(x)).output); }
};

struct Gpt : tg::nn::Module<Gpt> {
  tg::nn::Embedding tokens = add("tokens", tg::nn::Embedding(96, 128));
  tg::nn::LearnedPositions positions = add("positions", tg::nn::LearnedPositions(128, 128));
  tg::nn::TransformerEncoder blocks = add("blocks", tg::nn::TransformerEncoder(128, 4, 4,
                                                                               {.dim_feedforward = 512,
                                                                                .dropout = 0,
                                                                                .activation = tg::nn::Activation::gelu,
                                                                                .batch_first = true,
                                                                                .norm_first = true,
                                                                                .final_norm = true}));
  tg::nn::Linear head = add("head", tg::nn::Linear(128, 96));
  Tensor forward(const Tensor& x) { return head(blocks(positions(tokens(x)), {.is_causal = true})); }
};

Tensor loss_of(const Tensor& scores, const Tensor& y) {
  return cross_entropy(scores.reshape({y.numel(), scores.size(-1)}), y.reshape({y.numel()}));
}

template <class Net>
void measure(tg::distributed::Context& mpi, bool plain, bool overlap, double seconds, Tensor x, Tensor y) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point t) {
    return std::chrono::duration<double, std::milli>(Clock::now() - t).count();
  };
  Net net;
  tg::distributed::DataParallel parallel(net, mpi, {.overlap = overlap, .check_every = 0});
  tg::optim::Adam optimizer(net.parameters());
  std::vector<double> times;
  tg::distributed::Traffic before;
  const Clock::time_point begin = Clock::now();
  for (int step = 0; mpi.sum(mpi.is_root() && (step < 8 || since(begin) < 1e3 * seconds)) > 0; ++step) {
    if (step == 3) before = parallel.traffic();
    const Clock::time_point start = Clock::now();
    optimizer.zero_grad();
    tg::Tape tape;
    tape.backward(plain ? loss_of(net(x), y)
                        : parallel([](auto& net, auto& x, auto& y) { return loss_of(net(x), y); }, x, y));
    tg::clip_grad_norm(net.parameters(), 1.0);
    optimizer.step();
    if (step >= 3) times.push_back(since(start));
  }
  std::sort(times.begin(), times.end());
  const tg::distributed::Traffic& traffic = parallel.traffic();
  const double spent = traffic.seconds - before.seconds, hidden = traffic.hidden_seconds - before.hidden_seconds;
  fmt::print("{:.3f} {:.3f} {:.3f} {:.2f} {:.2f}\n", times.front(), times[times.size() / 2],
             1e3 * spent / double(times.size()), spent > 0 ? hidden / spent : 0, 4e-6 * double(net.parameter_count()));
}

void measure_sum(tg::distributed::Context& mpi, int64_t n, double seconds) {
  using Clock = std::chrono::steady_clock;
  tg::distributed::Transport& transport = mpi.transport();
  const int64_t rank = mpi.rank();
  std::vector<double> times;
  const Clock::time_point begin = Clock::now();
  while (mpi.sum(mpi.is_root() && std::chrono::duration<double>(Clock::now() - begin).count() < seconds) > 0) {
    const Tensor x = tg::ones({n});
    const Clock::time_point start = Clock::now();
    transport
        .post("sum",
              [&] {
                all_reduce(transport, {{rank, rank + 1, x}}, mpi.ranks(), tg::distributed::add_up, true);
              })
        .get();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  fmt::print("{:.3f} {:.3f}\n", times.front(), times[times.size() / 2]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: data_parallel mlp|charlm|gpt|sum BATCH SHARDS SECONDS [OVERLAP]\n");
    return 1;
  }
  const std::string work = argv[1];
  const int64_t batch = std::atoi(argv[2]), shards = std::atoi(argv[3]);
  tg::distributed::Context mpi(argc, argv, {.shards = std::max<int64_t>(shards, 0)});
  const int64_t rows = batch / mpi.ranks();
  const double seconds = std::atof(argv[4]);
  const bool overlap = argc > 5 && std::atoi(argv[5]) == 1;
  if (work == "sum")
    measure_sum(mpi, batch, seconds);
  else if (work == "mlp")
    measure<Mlp>(mpi, shards < 0, overlap, seconds, tg::randn({rows, 784}), tg::randint(0, 10, {rows}));
  else if (work == "charlm")
    measure<CharModel>(mpi, shards < 0, overlap, seconds, tg::randint(0, 96, {rows, 64}),
                       tg::randint(0, 96, {rows, 64}));
  else
    measure<Gpt>(mpi, shards < 0, overlap, seconds, tg::randint(0, 96, {rows, 128}), tg::randint(0, 96, {rows, 128}));
  return 0;
}
