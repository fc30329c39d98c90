// Models of second projects, on the digits that come with the library: autoencoders, a convolution by hand, sequences with
// lengths, a policy, and what one does around training.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

using namespace tapegrad;

namespace {

struct Digits {
  data::TensorDataset train, test;
};
Digits digits() {
  auto [train, test] = data::csv(TAPEGRAD_DATA_DIR "/digits.csv").split(0.8);
  return {{train.x() / 16.0, train.y()}, {test.x() / 16.0, test.y()}};
}

// `loss(x, y)` brought down over some epochs; the mean loss of the last one.
template <class Loss>
double fit(const data::TensorDataset& set, optim::Optimizer& optimizer, int epochs, Loss loss) {
  double mean_loss = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    train::Meter losses;
    for (auto [x, y] : data::DataLoader(set, {.batch_size = 64, .shuffle = true, .drop_last = true})) {
      Tape tape;
      const Tensor value = loss(x, y);
      optimizer.zero_grad();
      tape.backward(value);
      optimizer.step();
      losses.add(value.item());
    }
    mean_loss = losses.mean();
  }
  return mean_loss;
}

std::vector<Tensor> all_parameters(std::initializer_list<nn::ModuleBase> modules) {
  std::vector<Tensor> all;
  for (const nn::ModuleBase& module : modules)
    for (const Tensor& p : module.parameters()) all.push_back(p);
  return all;
}

}  // namespace

TEST(Models, AnAutoencoderHalvesWhatTheMeanLeaves) {
  manual_seed(1);
  const Digits data = digits();
  nn::Sequential net(nn::Linear(64, 32), nn::ReLU(), nn::Linear(32, 8), nn::Linear(8, 32), nn::ReLU(),
                     nn::Linear(32, 64));
  optim::Adam optimizer(net.parameters(), {.lr = 3e-3});
  const double left =
      fit(data.train, optimizer, 10, [&](const Tensor& x, const Tensor&) { return mse_loss(net(x), x); });
  const double of_the_mean = mean(var(data.train.x(), 0)).item();
  EXPECT_LT(left, 0.5 * of_the_mean);
}

TEST(Models, AVariationalAutoencoderRaisesItsBound) {
  manual_seed(2);
  const Digits data = digits();
  nn::Sequential encoder(nn::Linear(64, 64), nn::ReLU(), nn::Linear(64, 8));
  nn::Sequential decoder(nn::Linear(4, 64), nn::ReLU(), nn::Linear(64, 64));
  optim::Adam optimizer(all_parameters({encoder, decoder}), {.lr = 3e-3});
  const auto bound = [&](const Tensor& x, const Tensor&) {
    const Tensors code = chunk(encoder(x), 2, 1);
    const Tensor z = code[0] + exp(0.5 * code[1]) * randn(code[0].shape());
    const Tensor likelihood = bce_with_logits_loss(decoder(z), x, {.reduction = Reduce::sum});
    const Tensor divergence = -0.5 * sum(1 + code[1] - square(code[0]) - exp(code[1]));
    return (likelihood + divergence) / double(x.size(0));
  };
  const double first = fit(data.train, optimizer, 1, bound), last = fit(data.train, optimizer, 6, bound);
  EXPECT_LT(last, first - 5);
  const Tensor drawn = sigmoid(decoder(randn({16, 4})));
  EXPECT_THAT(drawn, ::testing::AllOf(HasShape({16, 64}), IsFinite()));
  EXPECT_NEAR(mean(drawn).item(), mean(data.train.x()).item(), 0.08);
}

namespace {

// A convolution of 3 x 3 with a border of zeros, as nine shifted images side by side and one product.
struct Convolution : nn::Module<Convolution> {
  Convolution(int64_t in, int64_t out) : mix(add("mix", nn::Linear(9 * in, out))) {}
  Tensor forward(const Tensor& x) {  // [B, H, W, C]
    const int64_t B = x.size(0), H = x.size(1), W = x.size(2), C = x.size(3);
    const Tensor rows = zeros({B, 1, W, C}, {.dtype = x.dtype()}),
                 columns = zeros({B, H + 2, 1, C}, {.dtype = x.dtype()});
    const Tensor padded = concat({columns, concat({rows, x, rows}, 1), columns}, 2);
    std::vector<Tensor> shifted;
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < 3; ++j) shifted.push_back(narrow(narrow(padded, 1, i, H), 2, j, W));
    return mix(concat(shifted, -1));
  }
  nn::Linear mix;
};

Tensor pooled(const Tensor& x) {  // the largest of each 2 x 2
  return amax(x.reshape({x.size(0), x.size(1) / 2, 2, x.size(2) / 2, 2, x.size(3)}), {2, 4});
}

}  // namespace

TAPEGRAD_TEST_MODULE(ConvolutionByHand, Convolution(2, 3), Shape{2, 4, 5, 2});

TEST(Models, AConvolutionalNetByHandReadsDigits) {
  manual_seed(3);
  const Digits data = digits();
  Convolution conv1(1, 8), conv2(8, 16);
  nn::Linear head(64, 10);
  const auto net = [&](const Tensor& x) {
    return head(pooled(relu(conv2(pooled(relu(conv1(x.reshape({-1, 8, 8, 1}))))))).flatten(1));
  };
  optim::Adam optimizer(all_parameters({conv1, conv2, head}), {.lr = 5e-3});
  fit(data.train, optimizer, 5, [&](const Tensor& x, const Tensor& y) { return cross_entropy(net(x), y); });
  EXPECT_GE(train::accuracy(net(data.test.x()), data.test.y()), 0.92);
}

// A digit as a sequence of its eight rows, read by a normalized LSTM.
TEST(Models, AnLstmReadsDigitsRowByRow) {
  manual_seed(4);
  const Digits data = digits();
  nn::LSTM lstm(8, 48, {.batch_first = true, .norm = nn::Norm::layer});
  nn::Linear head(48, 10);
  const auto net = [&](const Tensor& x) { return head(lstm(x.reshape({-1, 8, 8})).state.h[0]); };
  const auto loss = [&](const Tensor& x, const Tensor& y) { return cross_entropy(net(x), y); };
  optim::Adam optimizer(all_parameters({lstm, head}), {.lr = 1e-2});
  fit(data.train, optimizer, 5, loss);
  optimizer.set_lr(1e-3);  // at the first rate it wanders between 0.91 and 0.97 from batch to batch
  fit(data.train, optimizer, 2, loss);
  EXPECT_GE(train::accuracy(net(data.test.x()), data.test.y()), 0.93);
}

// Whether the first and the last word of a sentence are the same, which stand at both ends of it.
TEST(Models, ABidirectionalLstmComparesTheEndsOfSentences) {
  manual_seed(6);
  nn::Embedding embed(4, 8);
  nn::LSTM lstm(8, 24, {.batch_first = true, .bidirectional = true});
  nn::LayerNorm norm(48);
  nn::Linear head(48, 2);
  optim::Adam optimizer(all_parameters({embed, lstm, norm, head}), {.lr = 1e-2});
  const auto sample = [&] {
    const Tensor words = randint(0, 4, {64, 7}), lengths = randint(2, 8, {64});
    const Tensor last = gather(words, 1, (lengths - 1).unsqueeze(1)).squeeze(1);
    return std::tuple{words, lengths, eq(select(words, 1, 0), last).to(int64)};
  };
  const auto net = [&](const Tensor& words, const Tensor& lengths) {
    const Tensor h = lstm(embed(words), {}, {.lengths = lengths}).state.h;  // [2, B, 24]
    return head(norm(concat({h[0], h[1]}, 1)));
  };
  for (int step = 0; step < 300; ++step) {
    const auto [words, lengths, same] = sample();
    Tape tape;
    const Tensor loss = cross_entropy(net(words, lengths), same);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
  }
  const auto [words, lengths, same] = sample();
  EXPECT_GE(train::accuracy(net(words, lengths), same), 0.9);
}

namespace {

// The number of the column that a number in [0, 1) falls into: an outcome of these probabilities.
int64_t draw(const Tensor& probabilities) {
  const Tensor above = cumsum(probabilities, 0) < rand({1});
  return std::min<int64_t>(int64_t(sum(above.to(float32)).item()), probabilities.numel() - 1);
}

}  // namespace

// A corner of 4 x 4 cells is to be reached from the other one: each step costs, and the policy learns the shortest way.
TEST(Models, ReinforceFindsTheShortestWay) {
  manual_seed(7);
  const int64_t side = 4;
  Tensor preferences = zeros({side * side, 4}, {.requires_grad = true});
  optim::Adam optimizer({preferences}, {.lr = 0.1});
  const auto walk = [&](std::vector<Tensor>* log_probabilities) {
    int64_t row = 0, column = 0, steps = 0;
    while ((row < side - 1 || column < side - 1) && steps < 60) {
      const Tensor log_p = log_softmax(preferences[row * side + column]);
      const int64_t action = draw(exp(log_p.detach()));
      if (log_probabilities) log_probabilities->push_back(log_p[action]);
      row = std::clamp<int64_t>(row + (action == 0) - (action == 1), 0, side - 1);
      column = std::clamp<int64_t>(column + (action == 2) - (action == 3), 0, side - 1);
      ++steps;
    }
    return steps;
  };
  double usual = 30;
  for (int episode = 0; episode < 300; ++episode) {
    Tape tape;
    std::vector<Tensor> log_probabilities;
    const double steps = double(walk(&log_probabilities));
    const Tensor loss = sum(stack(log_probabilities)) * ((steps - usual) / 10);
    usual = 0.9 * usual + 0.1 * steps;
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
  }
  double mean_steps = 0;
  for (int i = 0; i < 20; ++i) mean_steps += double(walk(nullptr)) / 20;
  EXPECT_LT(mean_steps, 9);  // 6 is the shortest
}

namespace {

nn::Sequential small_net(int64_t hidden) {
  return nn::Sequential(nn::Linear(64, hidden), nn::ReLU(), nn::Linear(hidden, 10));
}

}  // namespace

TEST(Models, AStudentLearnsFromTheSoftAnswersOfItsTeacher) {
  manual_seed(8);
  const Digits data = digits();
  nn::Sequential teacher = small_net(128), student = small_net(12);
  optim::Adam teaching(teacher.parameters(), {.lr = 3e-3}), learning(student.parameters(), {.lr = 1e-2});
  fit(data.train, teaching, 10, [&](const Tensor& x, const Tensor& y) { return cross_entropy(teacher(x), y); });
  const double T = 3;
  fit(data.train, learning, 12, [&](const Tensor& x, const Tensor&) {
    const Tensor soft = softmax(teacher(x).detach() / T);
    return kl_div(log_softmax(student(x) / T), soft, {.reduction = Reduce::batchmean}) * (T * T);
  });
  EXPECT_GE(train::accuracy(teacher(data.test.x()), data.test.y()), 0.94);
  EXPECT_GE(train::accuracy(student(data.test.x()), data.test.y()), 0.85);
}

// Groups with rates of their own, a schedule of one's own, gradients of two batches together, frozen weights.
TEST(Models, TrainingTakesGroupsAccumulationAndFrozenWeights) {
  manual_seed(9);
  const Digits data = digits();
  nn::Linear body(64, 32), head(32, 10);
  optim::SGD optimizer({{.params = body.named_parameters(), .lr = 0.2}, {.params = all_parameters({head}), .lr = 1.0}},
                       {.momentum = 0.9});
  struct Halving : optim::Schedule {
    explicit Halving(optim::Optimizer& optimizer) : Schedule(optimizer) { apply(); }
    double lr_at(int64_t t, double base) const override { return base / double(1 + t); }
  } schedule(optimizer);
  const Tensor x = narrow(data.train.x(), 0, 0, 128), y = narrow(data.train.y(), 0, 0, 128);
  const auto loss_of = [&](int64_t from, int64_t n) {
    return cross_entropy(head(relu(body(narrow(x, 0, from, n)))), narrow(y, 0, from, n));
  };
  for (const int64_t from : {0, 64}) {  // two halves add up to the gradient of the whole
    Tape tape;
    tape.backward(0.5 * loss_of(from, 64));
  }
  Tensor dw;
  {
    Tape tape;
    dw = tape.gradient(loss_of(0, 128), {body.weight})[0];
  }
  EXPECT_TENSOR_NEAR(body.weight.grad(), dw, 1e-6);

  const Tensor before = body.weight.detach().clone();
  optimizer.step();
  EXPECT_TENSOR_NEAR(body.weight.detach(), before - 0.2 * dw, 1e-6);
  schedule.step();
  EXPECT_EQ(optimizer.lr(0), 0.1);
  EXPECT_EQ(optimizer.lr(1), 0.5);

  for (Tensor p : body.parameters()) p.set_requires_grad(false);
  optimizer.zero_grad();
  Tape tape;
  tape.backward(loss_of(0, 128));
  EXPECT_FALSE(body.weight.grad().defined());
  EXPECT_TRUE(head.weight.grad().defined());
}

// Stopping early at the best of held-back data, a mean of weights over time, several nets together, a table of mistakes.
TEST(Models, AroundTrainingTheBestTheMeanAndTheManyAreKept) {
  manual_seed(10);
  const Digits data = digits();
  std::vector<nn::Sequential> nets;
  Tensor votes = zeros({data.test.x().size(0), 10});
  double alone = 0;
  for (int i = 0; i < 3; ++i) {
    nn::Sequential net = small_net(16), mean_net = net.clone();
    optim::Adam optimizer(net.parameters(), {.lr = 3e-3});
    StateDict best;
    double best_loss = INFINITY;
    for (int epoch = 0, worse = 0; epoch < 12 && worse < 2; ++epoch) {
      fit(data.train, optimizer, 1, [&](const Tensor& x, const Tensor& y) { return cross_entropy(net(x), y); });
      const std::vector<Tensor> now = net.parameters(), mean = mean_net.parameters();
      for (size_t k = 0; k < now.size(); ++k) Tensor(mean[k]).copy_(0.7 * mean[k] + 0.3 * now[k]);
      const double held_back = cross_entropy(net(data.test.x()), data.test.y()).item();
      worse = held_back < best_loss ? 0 : worse + 1;
      if (worse > 0) continue;
      best_loss = held_back;
      for (const auto& [name, value] : net.state_dict()) best[name] = value.clone();
    }
    net.load_state_dict(best);
    EXPECT_NEAR(cross_entropy(net(data.test.x()), data.test.y()).item(), best_loss, 1e-6);
    EXPECT_GE(train::accuracy(mean_net(data.test.x()), data.test.y()), 0.85);
    alone += train::accuracy(net(data.test.x()), data.test.y()) / 3;
    votes += softmax(net(data.test.x()));
  }
  EXPECT_GE(train::accuracy(votes, data.test.y()), alone - 0.01);
  const Tensor cell = data.test.y() * 10 + argmax(votes, 1);
  const Tensor table = index_add(zeros({100}), 0, cell, ones({cell.size(0)})).reshape({10, 10});
  EXPECT_EQ(sum(table).item(), double(cell.size(0)));
  EXPECT_NEAR(sum(table * one_hot(arange(10), 10)).item() / double(cell.size(0)), train::accuracy(votes, data.test.y()),
              1e-6);
}
