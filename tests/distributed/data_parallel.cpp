#include <set>

#include "distributed/job.h"
#include "support/message.h"

namespace tapegrad::distributed {

namespace {

struct Net : nn::Module<Net> {
  nn::Linear a = add("a", nn::Linear(4, 6));
  nn::Linear b = add("b", nn::Linear(6, 3));
  nn::Linear unused = add("unused", nn::Linear(2, 2));
  Tensor forward(const Tensor& x) { return b(tanh(a(x))); }
};

const auto loss_of = [](auto& net, const Tensor& x, const Tensor& y) { return cross_entropy(net(x), y); };

struct Batch {
  Tensor x, y;
};

Batch whole(int64_t n) {
  manual_seed(8);
  return {randn({n, 4}), randint(0, 3, {n})};
}

// The rows of this rank, as a loader gives them.
Batch own(const Batch& batch) {
  data::DataLoader loader({batch.x, batch.y}, {.batch_size = batch.x.size(0), .shard = job().shard()});
  for (auto [x, y] : loader) return {x, y};
  return {};
}

}  // namespace

TEST(DataParallel, GivesTheLossAndTheGradientOfTheWholeBatch) {
  for (const int64_t rows : {16, 21}) {
    const Batch batch = whole(rows);
    Net net;
    DataParallel parallel(net, job());
    const auto [x, y] = own(batch);
    double loss = 0;
    {
      Tape tape;
      const Tensor mean = parallel(loss_of, x, y);
      loss = mean.item();
      tape.backward(mean * 3);
    }
    Net alone = net.clone();
    alone.zero_grad();
    Tape tape;
    const Tensor mean = loss_of(alone, batch.x, batch.y);
    tape.backward(mean * 3);
    EXPECT_NEAR(loss, mean.item(), 1e-6);
    for (size_t i = 0; i < 4; ++i)
      EXPECT_TRUE(is_close(net.parameters()[i].grad(), alone.parameters()[i].grad(), {.rtol = 1e-5, .atol = 1e-6}))
          << i;
    EXPECT_FALSE(net.unused.weight.grad().defined()) << "a parameter that no shard used has no gradient";
  }
}

TEST(DataParallel, AddsGradientsOfSeveralBackwardPasses) {
  Net net;
  DataParallel parallel(net, job());
  const auto [x, y] = own(whole(16));
  for (int pass = 0; pass < 2; ++pass) {
    Tape tape;
    tape.backward(parallel(loss_of, x, y));
    if (pass == 0) continue;
    const Tensor twice = net.a.weight.grad().clone();
    net.zero_grad();
    Tape again;
    again.backward(parallel(loss_of, x, y));
    EXPECT_TRUE(is_close(twice, net.a.weight.grad() * 2));
  }
}

TEST(DataParallel, OfOneShardInAllIsTheUsualLoop) {
  struct Normed : nn::Module<Normed> {
    nn::Linear a = add("a", nn::Linear(4, 3));
    nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(3));
    Tensor forward(const Tensor& x) { return dropout(norm(a(x)), 0.5); }
  };
  const Batch batch = whole(16);
  Context alone({.shards = 0});
  Normed net;
  Normed copy = net.clone();
  DataParallel parallel(net, alone);
  const Generator random = default_generator();
  Tape tape;
  const Tensor loss = parallel(loss_of, batch.x, batch.y);
  default_generator() = random;
  EXPECT_TRUE(same_bits({{"loss", loss}}, {{"loss", loss_of(copy, batch.x, batch.y)}}));
  EXPECT_TRUE(same_bits(snapshot(net), snapshot(copy)));
  EXPECT_EQ(parallel.steps(), 1);
  tape.backward(loss);
  EXPECT_TRUE(net.a.weight.grad().defined());
}

TEST(Context, GathersWhatTheRanksHave) {
  const auto rows_of = [](int rank) { return full({rank % 2 + 1, 2}, -double(rank), {.dtype = float64}); };
  Tensors all;
  for (int rank = 0; rank < job().ranks(); ++rank) all.push_back(rows_of(rank));
  const Tensor own = rows_of(job().rank());
  EXPECT_TRUE(same_bits({{"all", job().gather(own)}}, {{"all", concat(all)}})) << "the sign of zero too";
  EXPECT_TRUE(
      same_bits({{"all", job().gather(own.transpose(0, 1), 1)}}, {{"all", concat(all).transpose(0, 1).contiguous()}}));
}

TEST(DataParallel, GivesTheLossOfAllRanksWithoutATape) {
  Net net;
  DataParallel parallel(net, job());
  const Batch batch = whole(24);
  const auto [x, y] = own(batch);
  EXPECT_NEAR(parallel(loss_of, x, y).item(), loss_of(net, batch.x, batch.y).item(), 1e-6);
  EXPECT_EQ(parallel.steps(), 0);
}

TEST(DataParallel, GivesEachShardRandomNumbersOfItsOwnAndTheSameForAnyNumberOfRanks) {
  const auto drawn = [](Context& context) {
    manual_seed(3);
    Net net;
    DataParallel parallel(net, context);
    std::vector<double> numbers;
    const Tensor x = zeros({context.shard().last - context.shard().first, 4});
    for (int call = 0; call < 2; ++call)
      parallel(
          [&](auto& net, auto& x) {
            numbers.push_back(rand({1}).item());
            return sum(net(x));
          },
          x);
    return numbers;
  };
  Context alone({.shards = job().shards()});
  const std::vector<double> own = drawn(job()), all = drawn(alone);
  EXPECT_EQ(std::set<double>(all.begin(), all.end()).size(), size_t(2 * job().shards()));
  for (size_t i = 0; i < own.size(); ++i) {
    const size_t count = own.size() / 2, shard = size_t(job().shard().first) + i % count;
    EXPECT_EQ(own[i], all[i / count * size_t(job().shards()) + shard]);
  }
}

TEST(DataParallel, SkipsAStepOnAllRanksWhereOneHasANaN) {
  Net net;
  DataParallel parallel(net, job());
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  auto [x, y] = own(whole(16));
  if (job().rank() == job().ranks() - 1) x[0].fill_(std::numeric_limits<double>::quiet_NaN());
  const StateDict before = snapshot(net);
  {
    Tape tape;
    tape.backward(parallel(loss_of, x, y));
  }
  EXPECT_FALSE(optimizer.step());
  EXPECT_EQ(optimizer.skipped_steps(), 1);
  EXPECT_TRUE(same_bits(snapshot(net), before));
}

TEST(DataParallel, NamesTheRankThatDiffers) {
  if (job().ranks() < 3) GTEST_SKIP() << "of two nobody knows which one is right";
  Net net;
  DataParallel parallel(net, job(), {.check_every = 2});
  const auto [x, y] = own(whole(16));
  const auto step = [&, &x = x, &y = y] {
    Tape tape;
    tape.backward(parallel(loss_of, x, y));
  };
  step();
  step();
  if (job().rank() == 1) net.b.bias.fill_(0.25);
  EXPECT_THAT(message<Error>(step),
              testing::HasSubstr("after 2 steps the parameters, buffers or random numbers of rank 1 differ"));
}

TEST(DataParallel, RefusesWhatWouldGoWrong) {
  const auto [x, y] = own(whole(16));
  const auto with = [](auto f) {
    Net net;
    DataParallel parallel(net, job());
    Tape tape;
    return message<Error>([&] { f(net, parallel); });
  };
  EXPECT_THAT(with([&, &x = x, &y = y](Net& net, auto& parallel) {
                parallel([&](Net&, auto& x, auto& y) { return loss_of(net, x, y); }, x, y);
              }),
              testing::HasSubstr("the function used 'a.weight' of the model. Hint: take the copy"));
  EXPECT_THAT(with([&, &x = x](Net&, auto& parallel) { parallel([](auto& net, auto& x) { return net(x); }, x); }),
              testing::HasSubstr("the function must return a loss of one element, got float32 ["));
  EXPECT_THAT(
      with([&, &x = x](Net&, auto& parallel) { parallel(loss_of, x, zeros({x.size(0) + 1}, {.dtype = int64})); }),
      testing::HasSubstr("the inputs must have one number of rows, along axis 0"));
  if (job().shards() >= 2 * job().ranks()) {  // so each rank has two
    EXPECT_THAT(
        with([&, &x = x, &y = y](Net&, auto& parallel) { parallel(loss_of, slice(x, 0, 0, 1), slice(y, 0, 0, 1)); }),
        testing::HasSubstr("shards of this rank must have a row, got 1 rows"));
  }
  nn::BatchNorm1d norm(4);
  DataParallel normed(norm, job());
  EXPECT_THAT(message<Error>([&, &x = x] { normed([](auto& norm, auto& x) { return sum(norm(x)); }, x); }),
              testing::HasSubstr("each shard wrote to 'running_mean', which so depends on the ranks. Hint: "
                                 "distributed::SyncBatchNorm"));
  EXPECT_THAT(message<Error>([] { Context({.deadline = 0}); }), testing::HasSubstr("deadline must be positive, got 0"));
}

namespace {

template <class In, class Norm>
struct Normed : nn::Module<Normed<In, Norm>> {
  explicit Normed(In layer) : in(this->add("in", layer)), norm(this->add("norm", Norm(5))) {}
  Tensor forward(const Tensor& x) { return norm(in(x)); }
  In in;
  Norm norm;
};

// One step of SyncBatchNorm on all ranks, and of Norm on the whole batch in one process.
template <class Norm, class In>
void expect_batch_norm_of_the_whole(In layer, const Tensor& batch) {
  const auto loss_of = [](auto& net, const Tensor& x, const Tensor& y) { return mse_loss(net(x), y); };
  const Tensor x = batch.to(float64);
  Normed<In, SyncBatchNorm> normed(layer);
  Normed<In, Norm> plain(layer.clone());
  normed.to(float64);
  plain.to(float64);
  const Tensor target = randn(plain(x).shape(), {.dtype = float64});
  DataParallel parallel(normed, job());
  plain.load_state_dict(normed.state_dict());
  data::DataLoader loader({x, target}, {.batch_size = x.size(0), .shard = job().shard()});
  for (auto [x, y] : loader) {
    Tape tape;
    tape.backward(parallel(loss_of, x, y));
  }
  {
    Tape tape;
    tape.backward(loss_of(plain, x, target));
  }
  const auto expected = plain.named_parameters(), got = normed.named_parameters();
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(is_close(got[i].second.grad(), expected[i].second.grad(), {.rtol = 1e-9, .atol = 1e-12}))
        << got[i].first;
  for (size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(is_close(normed.buffers()[i].to(float64), plain.buffers()[i].to(float64), {.rtol = 1e-9})) << i;
  normed.eval();
  plain.eval();
  EXPECT_TRUE(is_close(normed(x), plain(x), {.rtol = 1e-9, .atol = 1e-9}));
}

}  // namespace

TEST(SyncBatchNorm, IsTheBatchNormOfTheWholeBatch) {
  manual_seed(4);
  expect_batch_norm_of_the_whole<nn::BatchNorm1d>(nn::Linear(4, 5, {.bias = false}), randn({19, 4}) * 3 + 5);
}

TEST(SyncBatchNorm, IsTheBatchNorm2dOfTheWholeBatchOfImages) {
  manual_seed(4);
  expect_batch_norm_of_the_whole<nn::BatchNorm2d>(nn::Conv2d(2, 5, 3, {.padding = 1}), randn({13, 2, 4, 3}) * 3 + 5);
}

TEST(SyncBatchNorm, IsABatchNormOutsideOfDataParallel) {
  manual_seed(4);
  const Tensor x = randn({6, 5, 2, 3});
  SyncBatchNorm normed(5);
  nn::BatchNorm2d plain(5);
  Tape tape;
  EXPECT_TRUE(same_bits({{"y", normed(x)}}, {{"y", plain(x)}}));
  EXPECT_TRUE(same_bits(snapshot(normed), snapshot(plain)));
}

TEST(SyncBatchNorm, RefusesOtherInputs) {
  SyncBatchNorm norm(3);
  EXPECT_THAT(message<Error>([&] { norm(zeros({2, 4})); }), testing::HasSubstr("input must be [N, 3] or [N, 3, ...]"));
  EXPECT_THAT(message<Error>([&] { norm(zeros({1, 3})); }), testing::HasSubstr("training needs more than one value"));
  EXPECT_THAT(message<Error>([] { SyncBatchNorm(3, {.momentum = 2}); }),
              testing::HasSubstr("momentum must be in [0, 1], got 2"));
}

}  // namespace tapegrad::distributed
