// Three models are trained on all ranks, and on one rank alone: the same bits, in parameters, buffers, moments and losses.
#include "distributed/job.h"

#include <filesystem>

#include "support/message.h"

namespace tapegrad::distributed {

namespace {

// All that a run of training left.
template <class Net, class Loss>
StateDict trained(Context& context, Net net, const data::TensorDataset& samples, Loss loss_of, int64_t steps,
                  int64_t batch_size) {
  DataParallel parallel(net, context, {.bucket_bytes = 4096, .check_every = 5});
  optim::AdamW optimizer(net.named_parameters(), {.lr = 1e-2});
  data::DataLoader loader(samples, {.batch_size = batch_size, .shuffle = true, .seed = 3, .shard = context.shard()});
  std::vector<double> seen;
  for (int64_t step = 0; step < steps;)
    for (auto [x, y] : loader) {
      Tape tape;
      const Tensor loss = parallel(loss_of, x, y);
      optimizer.zero_grad();
      tape.backward(loss);
      seen.push_back(loss.item());
      seen.push_back(clip_grad_norm(net.parameters(), 1.0));
      optimizer.step();
      if (++step == steps) break;
    }
  EXPECT_LT(seen[seen.size() - 2], seen[0]) << "it must learn";
  const int64_t count = int64_t(seen.size());
  StateDict state = snapshot(StateGroup{{"net", net}, {"optimizer", optimizer}, {"random", default_generator()}});
  state["losses and norms"] = from_vector(seen, {count});
  return state;
}

template <class Make, class Loss>
void expect_same_bits(Make make, const data::TensorDataset& samples, Loss loss_of, int64_t batch_size) {
  Context alone({.shards = job().shards()});
  manual_seed(5);
  const StateDict expected = trained(alone, make(), samples, loss_of, steps_to_train(), batch_size);
  manual_seed(5 + uint64_t(job().rank()));  // all begin with what rank 0 has
  EXPECT_TRUE(same_bits(trained(job(), make(), samples, loss_of, steps_to_train(), batch_size), expected));
}

struct Mlp : nn::Module<Mlp> {
  nn::Linear in = add("in", nn::Linear(12, 48, {.bias = false}));
  SyncBatchNorm norm = add("norm", SyncBatchNorm(48));
  nn::Dropout drop = add("drop", nn::Dropout(0.2));
  nn::Linear hidden = add("hidden", nn::Linear(48, 32, {.bias = false}));
  SyncBatchNorm norm2 = add("norm2", SyncBatchNorm(32));
  nn::Linear out = add("out", nn::Linear(32, 3));
  Tensor forward(const Tensor& x) { return out(relu(norm2(hidden(drop(relu(norm(in(x)))))))); }
};

struct Recurrent : nn::Module<Recurrent> {
  nn::Embedding embed = add("embed", nn::Embedding(11, 16));
  nn::LSTM rnn = add("rnn", nn::LSTM(16, 24, {.norm = nn::Norm::layer}));
  nn::Linear out = add("out", nn::Linear(24, 11));
  Tensor forward(const Tensor& x) { return out(rnn(embed(x.transpose(0, 1))).output).transpose(0, 1); }
};

struct Gpt : nn::Module<Gpt> {
  nn::Embedding embed = add("embed", nn::Embedding(11, 16));
  nn::TransformerEncoder blocks =
      add("blocks",
          nn::TransformerEncoder(
              16, 2, 2,
              {.dim_feedforward = 32, .dropout = 0.1, .batch_first = true, .norm_first = true, .final_norm = true}));
  nn::Linear out = add("out", nn::Linear(16, 11));
  Tensor forward(const Tensor& x) { return out(blocks(embed(x), {.is_causal = true})); }
};

data::TensorDataset points() {
  Generator random(1);
  std::vector<float> x;
  std::vector<int64_t> y;
  for (int64_t i = 0; i < 203; ++i) {
    y.push_back(random.below(3));
    for (int64_t j = 0; j < 12; ++j) x.push_back(float(random.uniform() + double(y.back() == j % 3)));
  }
  return {from_vector(x, {203, 12}), from_vector(y, {203})};
}

// The next letter is the sum of the last two, modulo 11.
data::TensorDataset letters() {
  Generator random(2);
  std::vector<int64_t> x, y;
  for (int64_t i = 0; i < 90; ++i) {
    int64_t a = random.below(11), b = random.below(11);
    for (int64_t t = 0; t < 10; ++t) {
      x.push_back(a);
      y.push_back(b);
      a = std::exchange(b, (a + b) % 11);
    }
  }
  return {from_vector(x, {90, 10}), from_vector(y, {90, 10})};
}

const auto next_letter = [](auto& net, const Tensor& x, const Tensor& y) {
  return cross_entropy(net(x).flatten(0, 1), y.flatten(0, 1));
};

// Trains the MLP from the newest checkpoint in the folder to `steps`.
StateDict continued(Context& context, const std::string& folder, int64_t steps) {
  manual_seed(6);
  Mlp net;
  DataParallel parallel(net, context);
  optim::Adam optimizer(net.named_parameters(), {.lr = 1e-2});
  data::DataLoader loader(points(), {.batch_size = 40, .shuffle = true, .seed = 3, .shard = context.shard()});
  Checkpointer run(context, folder,
                   {{"net", net}, {"optimizer", optimizer}, {"loader", loader}, {"random", default_generator()}},
                   {.every = 4, .on_signal = false});
  for (int64_t step = run.resume(); step < steps;)
    for (auto [x, y] : loader) {
      Tape tape;
      optimizer.zero_grad();
      tape.backward(parallel([](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); }, x, y));
      optimizer.step();
      run.step(++step);
      if (step == steps) break;
    }
  return snapshot(StateGroup{{"net", net}, {"optimizer", optimizer}, {"random", default_generator()}});
}

}  // namespace

TEST(SameBits, OfAnMlpWithSyncBatchNormAndDropoutAndUnevenBatches) {
  expect_same_bits([] { return Mlp(); }, points(), [](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); },
                   48);
}

TEST(SameBits, OfALayerNormalizedLstm) {
  expect_same_bits([] { return Recurrent(); }, letters(), next_letter, 20);
}

TEST(SameBits, OfARunThatIsStoppedAndGoesOnOnAnotherNumberOfRanks) {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / fmt::format("tapegrad_mpi_{}", job().ranks());
  const auto folder = [&](const char* name) { return (root / name).string(); };
  Context alone({.shards = job().shards()});
  if (job().is_root()) fs::remove_all(root);
  job().barrier();
  const StateDict straight = continued(job(), folder("straight"), 18);
  continued(job(), folder("fewer"), 9);  // whose last checkpoint is of step 8
  if (job().is_root()) {
    EXPECT_TRUE(same_bits(continued(alone, folder("fewer"), 18), straight)) << "from many to one";
    continued(alone, folder("more"), 9);
  }
  job().barrier();
  EXPECT_TRUE(same_bits(continued(job(), folder("more"), 18), straight)) << "from one to many";
  job().barrier();
  if (job().is_root()) fs::remove_all(root);
}

TEST(SameBits, OfARecordedRunThatGoesOnOnAnotherNumberOfRanksAndIsTravelledBackByOne) {
  namespace fs = std::filesystem;
  const std::string folder = (fs::temp_directory_path() / fmt::format("tapegrad_mpi_log_{}", job().ranks())).string();
  if (job().is_root()) fs::remove_all(folder);
  job().barrier();
  // Trains from the newest checkpoint to `steps`, and returns the losses.
  const auto recorded = [&](Context& context, int64_t steps, const train::TravelQuestion* question = nullptr) {
    manual_seed(6);
    Mlp net;
    DataParallel parallel(net, context);
    optim::Adam optimizer(net.named_parameters(), {.lr = 1e-2});
    data::DataLoader loader(points(), {.batch_size = 40, .shuffle = true, .seed = 3, .shard = context.shard()});
    train::Batches batches(loader);
    Recorder run(
        context, folder, {{"net", net}, {"optimizer", optimizer}, {"loader", loader}, {"random", default_generator()}},
        [&](Tape& tape, int64_t) {
          const auto [x, y] = batches.next();
          const Tensor loss = parallel([](auto& net, auto& x, auto& y) { return cross_entropy(net(x), y); }, x, y);
          optimizer.zero_grad();
          tape.backward(loss);
          optimizer.step();
          return loss;
        },
        {.every = 4, .on_signal = false});
    if (question) return std::pair(std::map<int64_t, double>(), run.answer(*question));
    std::map<int64_t, double> losses;
    for (int64_t step = run.resume(); step < steps; ++step) {
      EXPECT_TRUE(run.step(step));
      losses[step] = run.loss();
    }
    return std::pair(losses, std::string());
  };
  const auto straight = recorded(job(), 12).first;
  const train::TravelQuestion question{.step = 10};
  if (job().ranks() > 1) {
    EXPECT_THAT(message<ValueError>([&] { recorded(job(), 12, &question); }),
                testing::HasSubstr("one rank travels, got"));
  }
  job().barrier();
  if (job().is_root()) {
    Context alone({.shards = job().shards()});
    EXPECT_THAT(recorded(alone, 12, &question).second, testing::HasSubstr("data_parallel"));
    fs::remove(fs::path(folder) / "step-000000012.safetensors");
    const auto rest = recorded(alone, 12).first;
    EXPECT_EQ(rest.size(), 4u);
    for (const auto& [step, loss] : rest) EXPECT_EQ(loss, straight.at(step)) << step;
    fs::remove(fs::path(folder) / "step-000000012.safetensors");
    fs::remove(fs::path(folder) / "step-000000008.safetensors");
  }
  job().barrier();
  const auto rest = recorded(job(), 12).first;
  EXPECT_EQ(rest.size(), 8u) << "the step is that of rank 0's folder";
  for (const auto& [step, loss] : rest) EXPECT_EQ(loss, straight.at(step)) << step;
  job().barrier();
  if (job().is_root()) fs::remove_all(folder);
}

TEST(SameBits, OfAGpt) {
  expect_same_bits([] { return Gpt(); }, letters(), next_letter, 20);
}

}  // namespace tapegrad::distributed
