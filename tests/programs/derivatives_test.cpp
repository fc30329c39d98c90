// Programs that need gradients of gradients, or gradients through a loop: what one writes after the first course.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

using namespace tapegrad;

namespace {
constexpr TensorOptions k64{.dtype = float64};
}

TEST(Derivatives, AHessianTimesAVectorIsExact) {
  manual_seed(1);
  const Tensor A = randn({5, 5}, k64), x = randn({5}, k64).set_requires_grad(), v = randn({5}, k64);
  Tape tape;
  const Tensor y = dot(x, matmul(A, x)) + sum(pow(x, 4));
  const Tensor slope = tape.gradient(y, {x}, {.create_graph = true})[0];
  const Tensor hv = tape.gradient(dot(slope, v), {x})[0];
  EXPECT_TENSOR_NEAR(hv, matmul(A + A.transpose(0, 1), v) + 12 * square(x.detach()) * v, 1e-12);
}

TEST(Derivatives, NewtonFindsTheBottomOfRosenbrocksValley) {
  Tensor x = tensor({-1.2, 1}, {.dtype = float64, .requires_grad = true});
  double value = 0;
  for (int step = 0; step < 7; ++step) {
    Tape tape;
    const Tensor y = 100 * square(x[1] - square(x[0])) + square(1 - x[0]);
    value = y.item();
    const Tensor g = tape.gradient(y, {x}, {.create_graph = true})[0];
    const Tensor row0 = tape.gradient(g[0], {x}, {.retain_graph = true})[0], row1 = tape.gradient(g[1], {x})[0];
    const double a = row0[0].item(), b = row0[1].item(), d = row1[1].item(), det = a * d - b * row1[0].item();
    const double g0 = g[0].item(), g1 = g[1].item();
    const NoGrad no_grad;
    x -= tensor({(d * g0 - b * g1) / det, (a * g1 - b * g0) / det}, k64);
  }
  EXPECT_LT(value, 1e-18);
  EXPECT_TENSOR_NEAR(x.detach(), ones({2}, k64), 1e-9);
}

// Weights from which one step of gradient descent fits any of many sines (Finn, Abbeel, Levine 2017).
TEST(Derivatives, MetaLearningGoesBackThroughAStepOfGradientDescent) {
  manual_seed(3);
  nn::Sequential net(nn::Linear(1, 20), nn::Tanh(), nn::Linear(20, 1));
  for (auto& [name, parameter] : net.named_parameters()) Tensor(parameter).copy_(0.5 * randn(parameter.shape()));
  optim::Adam optimizer(net.parameters(), {.lr = 5e-3});
  const auto losses = [&](Tape& tape, const Tensor& phase) {
    const auto sample = [&] { return 8 * rand({10, 1}) - 4; };
    const Tensor x = sample(), test = sample();
    const Tensor before = mse_loss(net(x), sin(x + phase));
    const auto parameters = net.named_parameters();
    const std::vector<Tensor> step = tape.gradient(before, net.parameters(), {.create_graph = true});
    StateDict fast;
    for (size_t i = 0; i < step.size(); ++i) fast[parameters[i].first] = parameters[i].second - 0.1 * step[i];
    return std::pair{before, mse_loss(nn::functional_call(net, fast, test), sin(test + phase))};
  };
  double first = 0, last = 0;
  for (int round = 0; round < 400; ++round) {
    Tape tape;
    Tensor loss = tensor(0);
    for (int task = 0; task < 4; ++task) loss = loss + losses(tape, rand({1}) * 3.0).second / 4;
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    (round < 40 ? first : last) += round < 40 || round >= 360 ? loss.item() / 40 : 0;
  }
  EXPECT_LT(last, 0.75 * first);
}

// A critic whose slope is pulled to 1 where it is asked (Gulrajani et al. 2017): the penalty is on a gradient.
TEST(Derivatives, APenaltyOnTheGradientMakesItsLengthOne) {
  manual_seed(4);
  nn::Sequential critic(nn::Linear(2, 32), nn::Tanh(), nn::Linear(32, 1));
  optim::Adam optimizer(critic.parameters(), {.lr = 1e-2});
  double length = 0;
  for (int step = 0; step < 200; ++step) {
    Tensor x = randn({64, 2}).set_requires_grad();
    Tape tape;
    const Tensor slope = tape.gradient(sum(critic(x)), {x}, {.create_graph = true})[0];
    const Tensor lengths = norm(slope, 1);
    optimizer.zero_grad();
    tape.backward(mean(square(lengths - 1)));
    optimizer.step();
    length = mean(lengths).item();
  }
  EXPECT_NEAR(length, 1, 0.1);
}

// z' = f(z), integrated by Runge and Kutta's fourth order, learns a spiral that winds inwards.
TEST(Derivatives, ANeuralOdeLearnsASpiral) {
  manual_seed(5);
  const double dt = 0.15;
  std::vector<Tensor> points;
  for (int i = 0; i < 20; ++i) {
    const double t = i * dt, r = std::exp(-0.3 * t);
    points.push_back(tensor({r * std::cos(2 * t), r * std::sin(2 * t)}));
  }
  const Tensor spiral = stack(points);
  nn::Sequential f(nn::Linear(2, 24), nn::Tanh(), nn::Linear(24, 2));
  const auto step = [&](const Tensor& z) {
    const Tensor a = f(z), b = f(z + dt / 2 * a), c = f(z + dt / 2 * b), d = f(z + dt * c);
    return z + dt / 6 * (a + 2 * b + 2 * c + d);
  };
  optim::Adam optimizer(f.parameters(), {.lr = 2e-2});
  double distance = 0;
  for (int round = 0; round < 150; ++round) {
    Tape tape;
    std::vector<Tensor> path{spiral[0]};
    for (int i = 1; i < 20; ++i) path.push_back(step(path.back()));
    const Tensor loss = l1_loss(stack(path), spiral);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    distance = loss.item();
  }
  EXPECT_LT(distance, 0.05);
}

// A quantile is what the pinball loss is smallest at.
TEST(Derivatives, ThePinballLossFindsQuantiles) {
  manual_seed(6);
  const Tensor x = 2 * rand({2000, 1}) - 1, y = x + (0.5 + 0.4 * x) * randn({2000, 1});
  nn::Linear line(1, 2);
  const Tensor q = tensor({0.5, 0.9});
  optim::Adam optimizer(line.parameters(), {.lr = 2e-2});
  for (int step = 0; step < 300; ++step) {
    Tape tape;
    const Tensor d = y - line(x);
    optimizer.zero_grad();
    tape.backward(mean(maximum(q * d, (q - 1) * d)));
    optimizer.step();
  }
  const Tensor below = mean((y <= line(x).detach()).to(float32), 0);
  EXPECT_NEAR(below[0].item(), 0.5, 0.03);
  EXPECT_NEAR(below[1].item(), 0.9, 0.02);
}

// The lecture's variance: without the correction it is that of the numbers themselves.
TEST(Derivatives, TheVarianceOfANumberedMatrix) {
  const Tensor x = arange(6).to(float32).reshape({2, 3});
  EXPECT_NEAR(var(x, {.correction = 0}).item(), 35.0 / 12, 1e-6);
  EXPECT_EQ(sum(x, {.keepdim = true}).shape(), (Shape{1, 1}));
}
