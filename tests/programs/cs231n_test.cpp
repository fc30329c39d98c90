// Stanford's CS231n, assignments 1 to 3, as a student would write them: the functions that the notebooks check, with the
// numbers that they print as expected (cs231n.github.io, assignments of 2017 to 2024).
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

using namespace tapegrad;

namespace {

constexpr TensorOptions k64{.dtype = float64};

// numpy's linspace(low, high, num).reshape(...)
Tensor grid(double low, double high, const Shape& shape) {
  return linspace(low, high, shape.numel(), k64).reshape(shape);
}

Tensor matrix(std::vector<double> values, const Shape& shape) { return from_vector(values, shape); }

// The course has weights [in, out], and the gates of an LSTM in the order i, f, o, g.
Tensor turned(const Tensor& weight) { return weight.transpose(0, 1); }
Tensor with_our_gates(const Tensor& weight) {
  const Tensors gates = chunk(weight, 4, -1);
  return concat({gates[0], gates[1], gates[3], gates[2]}, -1);
}

template <class Cell>
void set(Cell& cell, const Tensor& w_x, const Tensor& w_h, const Tensor& b) {
  cell.weight_ih.copy_(turned(w_x));
  cell.weight_hh.copy_(turned(w_h));
  cell.bias_ih.copy_(b);
  cell.bias_hh.zero_();
}

}  // namespace

TEST(CS231n, OneStepOfAnRnn) {
  nn::RNNCell cell(10, 4);
  cell.to(float64);
  set(cell, grid(-0.1, 0.9, {10, 4}), grid(-0.3, 0.7, {4, 4}), grid(-0.2, 0.4, {4}));
  const Tensor h = cell(grid(-0.4, 0.7, {3, 10}), grid(-0.2, 0.5, {3, 4}));
  EXPECT_TENSOR_NEAR(h,
                     matrix({-0.58172089, -0.50182032, -0.41232771, -0.31410098, 0.66854692, 0.79562378, 0.87755553,
                             0.92795967, 0.97934501, 0.99144213, 0.99646691, 0.99854353},
                            {3, 4}),
                     1e-8);
}

TEST(CS231n, AnRnnOverASequence) {
  nn::RNN rnn(4, 5, {.batch_first = true});
  rnn.to(float64);
  set(rnn.cells[0], grid(-0.2, 0.4, {4, 5}), grid(-0.4, 0.1, {5, 5}), grid(-0.7, 0.1, {5}));
  const Tensor h = rnn(grid(-0.1, 0.3, {2, 3, 4}), grid(-0.3, 0.1, {1, 2, 5})).output;
  EXPECT_TENSOR_NEAR(h,
                     matrix({-0.42070749, -0.27279261, -0.11074945, 0.05740409, 0.22236251,   //
                             -0.39525808, -0.22554661, -0.0409454,  0.14649412, 0.32397316,   //
                             -0.42305111, -0.24223728, -0.04287027, 0.15997045, 0.35014525,   //
                             -0.55857474, -0.39065825, -0.19198182, 0.02378408, 0.23735671,   //
                             -0.27150199, -0.07088804, 0.13562939,  0.33099728, 0.50158768,   //
                             -0.51014825, -0.30524429, -0.06755202, 0.17806392, 0.40333043},  //
                            {2, 3, 5}),
                     1e-8);
}

TEST(CS231n, OneStepOfAnLstm) {
  const Tensor x = grid(-0.4, 1.2, {3, 4}), w_x = grid(-2.1, 1.3, {4, 20}), w_h = grid(-0.7, 2.2, {5, 20}),
               b = grid(0.3, 0.7, {20});
  nn::LSTMCell cell(4, 5);
  cell.to(float64);
  set(cell, with_our_gates(w_x), with_our_gates(w_h), with_our_gates(b));
  const auto [h, c] = cell(x, {grid(-0.3, 0.7, {3, 5}), grid(-0.4, 0.9, {3, 5})});
  EXPECT_TENSOR_NEAR(h,
                     matrix({0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904,  //
                             0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181,   //
                             0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299},
                            {3, 5}),
                     1e-8);
  EXPECT_TENSOR_NEAR(c,
                     matrix({0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407,    //
                             0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345,  //
                             0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676},
                            {3, 5}),
                     1e-8);
}

TEST(CS231n, AnLstmOverASequence) {
  nn::LSTM lstm(5, 4, {.batch_first = true});
  lstm.to(float64);
  set(lstm.cells[0], with_our_gates(grid(-0.2, 0.9, {5, 16})), with_our_gates(grid(-0.3, 0.6, {4, 16})),
      with_our_gates(grid(0.2, 0.7, {16})));
  const Tensor h = lstm(grid(-0.4, 0.6, {2, 3, 5}), {grid(-0.4, 0.8, {1, 2, 4}), Tensor()}).output;
  EXPECT_TENSOR_NEAR(h,
                     matrix({0.01764008, 0.01823233, 0.01882671, 0.0194232,   //
                             0.11287491, 0.12146228, 0.13018446, 0.13902939,  //
                             0.31358768, 0.33338627, 0.35304453, 0.37250975,  //
                             0.45767879, 0.4761092,  0.4936887,  0.51041945,  //
                             0.6704845,  0.69350089, 0.71486014, 0.7346449,   //
                             0.81733511, 0.83677871, 0.85403753, 0.86935314},
                            {2, 3, 4}),
                     1e-8);
}

namespace {

// A step by the equations, with the reset gate in front of the product (Cho et al. 2014, equation 8) or behind it.
struct CourseGru : nn::Module<CourseGru> {
  CourseGru(int64_t inputs, int64_t hidden, bool reset_before)
      : reset_before(reset_before),
        gates(add("gates", nn::Linear(inputs + hidden, 2 * hidden))),
        from_x(add("from_x", nn::Linear(inputs, hidden))),
        from_h(add("from_h", nn::Linear(hidden, hidden))) {}
  Tensor forward(const Tensor& x, const Tensor& h) {
    const Tensors rz = chunk(sigmoid(gates(concat({x, h}, 1))), 2, 1);
    const Tensor n = tanh(from_x(x) + (reset_before ? from_h(rz[0] * h) : rz[0] * from_h(h)));
    return (1 - rz[1]) * n + rz[1] * h;
  }
  bool reset_before;
  nn::Linear gates, from_x, from_h;
};

}  // namespace

TAPEGRAD_TEST_MODULE(GruWithTheResetBefore, CourseGru(3, 4, true), Shape{5, 3}, Shape{5, 4});

TEST(CS231n, AGruHasTheResetGateBehindTheProductOrBeforeIt) {
  nn::GRUCell cell(3, 4), before(3, 4, {.reset_after = false});
  cell.to(float64);
  before.to(float64);
  before.load_state_dict(cell.state_dict());
  CourseGru course(3, 4, false);
  course.to(float64);
  const Tensors w_x = chunk(cell.weight_ih.detach(), 3), w_h = chunk(cell.weight_hh.detach(), 3),
                b_x = chunk(cell.bias_ih.detach(), 3), b_h = chunk(cell.bias_hh.detach(), 3);
  course.gates.weight.copy_(concat({concat({w_x[0], w_h[0]}, 1), concat({w_x[1], w_h[1]}, 1)}));
  course.gates.bias.copy_(concat({b_x[0] + b_h[0], b_x[1] + b_h[1]}));
  course.from_x.weight.copy_(w_x[2]);
  course.from_x.bias.copy_(b_x[2]);
  course.from_h.weight.copy_(w_h[2]);
  course.from_h.bias.copy_(b_h[2]);
  const Tensor x = randn({5, 3}, k64), h = randn({5, 4}, k64);
  EXPECT_TENSOR_NEAR(cell(x, h), course(x, h), 1e-14);
  course.reset_before = true;
  EXPECT_FALSE(is_close(cell(x, h), course(x, h), {.atol = 1e-3}));
  EXPECT_TENSOR_NEAR(before(x, h), course(x, h), 1e-14);
}

TEST(CS231n, WordsBecomeRows) {
  const Tensor x = from_vector<int64_t>({0, 3, 1, 2, 2, 1, 0, 3}, {2, 4});
  const Tensor y = embedding(grid(0, 1, {5, 3}), x);
  EXPECT_TENSOR_NEAR(y[0][0], matrix({0, 0.07142857, 0.14285714}, {3}), 1e-8);
  EXPECT_TENSOR_NEAR(y[1][3], matrix({0.64285714, 0.71428571, 0.78571429}, {3}), 1e-8);
}

TEST(CS231n, TheLossOfATwoLayerNet) {
  nn::Linear fc1(5, 50), fc2(50, 7);
  fc1.to(float64);
  fc2.to(float64);
  fc1.weight.copy_(turned(grid(-0.7, 0.3, {5, 50})));
  fc1.bias.copy_(grid(-0.1, 0.9, {50}));
  fc2.weight.copy_(turned(grid(-0.3, 0.4, {50, 7})));
  fc2.bias.copy_(grid(-0.9, 0.1, {7}));
  const Tensor x = grid(-5.5, 4.5, {5, 3}).transpose(0, 1), y = from_vector<int64_t>({0, 5, 1}, {3});
  const Tensor scores = fc2(relu(fc1(x)));
  EXPECT_TENSOR_NEAR(
      scores[0],
      matrix({11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765, 16.09215096}, {7}), 1e-9);
  const Tensor loss = cross_entropy(scores, y);
  EXPECT_NEAR(loss.item(), 3.4702243556, 1e-10);
  const Tensor decay = 0.5 * (sum(square(fc1.weight)) + sum(square(fc2.weight)));
  EXPECT_NEAR((loss + decay).item(), 26.5948426952, 1e-10);
}

// The toy of assignment 1, whose weights and points are NumPy's random numbers.
TEST(CS231n, TheScoresAndTheLossOfTheToy) {
  data::NumpyRandom of_weights(0), of_points(1);
  nn::Linear fc1(4, 10), fc2(10, 3);
  nn::Sequential net(fc1, nn::ReLU(), fc2);
  net.to(float64);
  fc1.weight.copy_(turned(0.1 * of_weights.randn({4, 10})));
  fc2.weight.copy_(turned(0.1 * of_weights.randn({10, 3})));
  fc1.bias.fill_(0);
  fc2.bias.fill_(0);
  const Tensor scores = net(10 * of_points.randn({5, 4}));
  EXPECT_TENSOR_NEAR(
      scores,
      matrix({-0.81233741, -1.27654624, -0.70335995, -0.17129677, -1.18803311, -0.47310444, -0.51590475, -1.01354314,
              -0.8504215, -0.15419291, -0.48629638, -0.52901952, -0.00618733, -0.12435261, -0.15226949},
             {5, 3}),
      1e-8);
  const Tensor decay = 0.05 * (sum(square(fc1.weight)) + sum(square(fc2.weight)));
  const Tensor loss = cross_entropy(scores, tensor({0, 1, 2, 2, 1}, {.dtype = int64})) + decay;
  EXPECT_NEAR(loss.item(), 1.30378789133, 1e-11);
}

// Rows and columns whose variance is a square, so that everything is a fraction: 4 and four times -1, about any mean.
TEST(CS231n, NormalizationOfFractions) {
  const Tensor row = matrix({4, -1, -1, -1, -1}, {5}) + 7, dy = matrix({0, 1, 0, 0, 0}, {5});
  const Tensor xhat = matrix({2, -0.5, -0.5, -0.5, -0.5}, {5}), dx = matrix({0, 0.375, -0.125, -0.125, -0.125}, {5});
  const Tensor gamma = full({5}, 3, k64).set_requires_grad(), beta = full({5}, -2, k64).set_requires_grad();
  {
    const Tensor x = row.unsqueeze(0).set_requires_grad();
    Tape tape;
    const Tensor y = layer_norm(x, {5}, gamma, beta, {.eps = 0});
    EXPECT_TENSOR_NEAR(y[0], 3 * xhat - 2, 1e-9);
    const std::vector<Tensor> d = tape.gradient(y, {x, gamma, beta}, {.gradient = dy.unsqueeze(0)});
    EXPECT_TENSOR_NEAR(d[0][0], 3 * dx, 1e-9);
    EXPECT_TENSOR_NEAR(d[1], dy * xhat, 1e-9);
    EXPECT_TENSOR_NEAR(d[2], dy, 1e-9);
  }
  nn::BatchNorm1d norm(1, {.eps = 0});
  norm.to(float64);
  norm.weight.fill_(3);
  norm.bias.fill_(-2);
  const Tensor x = row.unsqueeze(1).set_requires_grad();
  Tape tape;
  const Tensor y = norm(x);
  EXPECT_TENSOR_NEAR(y.squeeze(1), 3 * xhat - 2, 1e-9);
  tape.backward(y, {.gradient = dy.unsqueeze(1)});
  EXPECT_TENSOR_NEAR(x.grad().squeeze(1), 3 * dx, 1e-9);
  EXPECT_NEAR(norm.weight.grad().item(), -0.5, 1e-9);
  EXPECT_NEAR(norm.bias.grad().item(), 1, 1e-9);
  EXPECT_NEAR(norm.running_mean.item(), 0.7, 1e-9);
  EXPECT_NEAR(norm.running_var.item(), 0.9 + 0.1 * 5, 1e-9);  // 4 * 5 / 4: of n - 1
}

TEST(CS231n, TheClosedFormOfBatchNormBackwardIsWhatTheTapeFinds) {
  manual_seed(231);
  const Tensor x = (5 * randn({100, 500}, k64) + 12).set_requires_grad(), gamma = randn({500}, k64).set_requires_grad(),
               beta = randn({500}, k64).set_requires_grad(), dy = randn({100, 500}, k64);
  Tape tape;
  const Tensor centered = x - mean(x, 0), xhat = centered / sqrt(mean(square(centered), 0) + 1e-5);
  const std::vector<Tensor> by_tape = tape.gradient(gamma * xhat + beta, {x, gamma, beta}, {.gradient = dy});
  const Tensor dgamma = sum(dy * xhat.detach(), 0), dbeta = sum(dy, 0);
  const Tensor rstd = rsqrt(var(x.detach(), 0, {.correction = 0}) + 1e-5);
  const Tensor dx = gamma.detach() * rstd * (dy - dbeta / 100 - xhat.detach() * dgamma / 100);
  EXPECT_TENSOR_NEAR(by_tape[0], dx, 1e-12);
  EXPECT_TENSOR_NEAR(by_tape[1], dgamma, 1e-12);
  EXPECT_TENSOR_NEAR(by_tape[2], dbeta, 1e-12);
  const std::vector<Tensor> by_layer =
      tape.gradient(batch_norm(x, {}, {}, gamma, beta, {.training = true}), {x, gamma, beta}, {.gradient = dy});
  for (size_t i = 0; i < 3; ++i) EXPECT_TENSOR_NEAR(by_layer[i], by_tape[i], 1e-12);
}

namespace {

// One step from a given state: w and what the optimizer keeps then.
struct OneStep {
  Tensor w = grid(-0.4, 0.6, {4, 5});
  StateDict state;

  template <class Optimizer>
  OneStep(Optimizer& optimizer, Tensor parameter, int64_t steps, const std::map<std::string, Tensor>& moments) {
    StateDict start = optimizer.state_dict();
    start["w.step"] = from_vector<int64_t>({steps}, {1});
    for (const auto& [name, value] : moments) start["w." + name] = value;
    optimizer.load_state_dict(start);
    parameter.set_grad(grid(-0.6, 0.4, {4, 5}));
    optimizer.step();
    w = parameter.detach();
    state = optimizer.state_dict();
  }
};

optim::ParameterList named(const Tensor& w) { return std::vector<std::pair<std::string, Tensor>>{{"w", w}}; }

Tensor start() { return grid(-0.4, 0.6, {4, 5}).set_requires_grad(); }

}  // namespace

// The course's velocity is -lr times the buffer.
TEST(CS231n, AStepWithMomentum) {
  const Tensor w = start();
  optim::SGD optimizer(named(w), {.lr = 1e-3, .momentum = 0.9});
  const OneStep after(optimizer, w, 1, {{"momentum_buffer", grid(0.6, 0.9, {4, 5}) / -1e-3}});
  EXPECT_TENSOR_NEAR(after.w, grid(0.1406, 1.4096, {4, 5}), 1e-7);
  EXPECT_TENSOR_NEAR(after.state.at("w.momentum_buffer") * -1e-3, grid(0.5406, 0.8096, {4, 5}), 1e-7);
}

TEST(CS231n, AStepOfRmsprop) {
  const Tensor w = start();
  optim::RMSprop optimizer(named(w), {.lr = 1e-2});
  const OneStep after(optimizer, w, 1, {{"square_avg", grid(0.6, 0.9, {4, 5})}});
  EXPECT_TENSOR_NEAR(after.w,
                     matrix({-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247,  //
                             -0.132737,   -0.08078555, -0.02881884, 0.02316247,  0.07515774,   //
                             0.12716641,  0.17918792,  0.23122175,  0.28326742,  0.33532447,   //
                             0.38739248,  0.43947102,  0.49155973,  0.54365823,  0.59576619},
                            {4, 5}),
                     1e-7);
  EXPECT_NEAR(after.state.at("w.square_avg")[0][0].item(), 0.5976, 1e-7);
  EXPECT_NEAR(after.state.at("w.square_avg")[0][4].item(), 0.65804321, 1e-7);
}

TEST(CS231n, AStepOfAdam) {
  const Tensor w = start();
  optim::Adam optimizer(named(w), {.lr = 1e-2});
  const OneStep after(optimizer, w, 5, {{"exp_avg", grid(0.6, 0.9, {4, 5})}, {"exp_avg_sq", grid(0.7, 0.5, {4, 5})}});
  EXPECT_TENSOR_NEAR(after.w,
                     matrix({-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977,  //
                             -0.1380274,  -0.08544591, -0.03286534, 0.01971428,  0.0722929,    //
                             0.1248705,   0.17744702,  0.23002243,  0.28259667,  0.33516969,   //
                             0.38774145,  0.44031188,  0.49288093,  0.54544852,  0.59801459},
                            {4, 5}),
                     1e-7);
  EXPECT_NEAR(after.state.at("w.exp_avg")[0][0].item(), 0.48, 1e-7);
  EXPECT_NEAR(after.state.at("w.exp_avg_sq")[0][0].item(), 0.69966, 1e-7);
  EXPECT_EQ(after.state.at("w.step").item(), 6);
}

// The loss of a caption counts the words that are there, and divides by the number of captions.
TEST(CS231n, TheLossOfCaptionsIsTheLogarithmOfTheVocabularyForEachWord) {
  manual_seed(231);
  const auto loss = [](int64_t captions, int64_t words, double share) {
    const Tensor scores = 0.001 * randn({captions, words, 10}), there = rand({captions, words}) <= share;
    const Tensor target = where(there, randint(0, 10, {captions, words}), -1);
    return cross_entropy(scores.flatten(0, 1), target.flatten(), {.ignore_index = -1, .reduction = Reduce::sum})
               .item() /
           double(captions);
  };
  EXPECT_NEAR(loss(100, 1, 1), 2.3, 0.01);
  EXPECT_NEAR(loss(100, 10, 1), 23, 0.1);
  EXPECT_NEAR(loss(5000, 10, 0.1), 2.3, 0.1);
}

// The course's p is the share that is kept.
TEST(CS231n, DropoutKeepsTheMeanAndDropsTheOthers) {
  manual_seed(231);
  const Tensor x = randn({500, 500}) + 10;
  for (const double p : {0.25, 0.4, 0.7}) {
    const Tensor y = dropout(x, 1 - p);
    EXPECT_NEAR(mean(y).item(), 10, 0.1) << p;
    EXPECT_NEAR(mean(eq(y, 0.0).to(float32)).item(), 1 - p, 0.01) << p;
    EXPECT_EQ(dropout(x, 1 - p, false).to_vector<float>(), x.to_vector<float>());
  }
}

// Three arms of a spiral, which no line divides: a network of 2, 100 and 3 by plain gradient descent.
TEST(CS231n, ANetworkLearnsTheSpiral) {
  manual_seed(1);
  const int64_t each = 100;
  std::vector<Tensor> arms;
  for (int arm = 0; arm < 3; ++arm) {
    const Tensor radius = linspace(0, 1, each), angle = linspace(arm * 4, (arm + 1) * 4, each) + 0.2 * randn({each});
    arms.push_back(stack({radius * sin(angle), radius * cos(angle)}, 1));
  }
  const Tensor x = concat(arms), y = (arange(3 * each).to(float32) / each).to(int64);
  nn::Linear fc1(2, 100), fc2(100, 3);
  std::vector<Tensor> parameters = fc1.parameters();
  for (const Tensor& p : fc2.parameters()) parameters.push_back(p);
  optim::SGD optimizer(parameters, {.lr = 1, .weight_decay = 1e-4});
  for (int step = 0; step < 2500; ++step) {
    Tape tape;
    const Tensor loss = cross_entropy(fc2(relu(fc1(x))), y);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
  }
  EXPECT_GE(train::accuracy(fc2(relu(fc1(x))), y), 0.96);
}
