// LBFGS against steps made by hand and by the definition with a matrix, and on Rosenbrock's valley.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <gmock/gmock.h>

#include <cmath>

namespace tapegrad::optim {
namespace {

using testing::ThrowsMessage;

constexpr TensorOptions k64{.dtype = float64};

// What a step of `optimizer` calls: the value of f at x, with its gradient.
template <class F>
std::function<double()> closure(LBFGS& optimizer, const Tensor& x, F f, int* calls = nullptr) {
  return [&optimizer, x, f, calls] {
    if (calls) ++*calls;
    optimizer.zero_grad();
    Tape tape;
    const Tensor loss = f(x);
    tape.backward(loss);
    return loss.item();
  };
}

Tensor rosenbrock(const Tensor& x) { return 100 * square(x[1] - square(x[0])) + square(1 - x[0]); }
Tensor at(double a, double b) { return tensor({a, b}, {.dtype = float64, .requires_grad = true}); }

// f = 2 x^2 from 3: the first step has length 1, 1 / |g| of -g = -12; the second knows the curvature and is exact.
TEST(LBFGS, FindsTheBottomOfAParabolaInItsSecondStep) {
  Tensor x = tensor({3}, {.dtype = float64, .requires_grad = true});
  LBFGS optimizer({x}, {.max_iter = 1});
  const auto f = closure(optimizer, x, [](const Tensor& x) { return 2 * sum(x * x); });
  EXPECT_EQ(optimizer.step(f), 18);
  EXPECT_DOUBLE_EQ(x[0].item(), 2);
  EXPECT_EQ(optimizer.step(f), 8);
  EXPECT_NEAR(x[0].item(), 0, 1e-15);
}

// x = x - lr H g, where H = (1 - rho s y') H (1 - rho y s') + rho s s' for every pair, from (s . y) / (y . y) of the last.
TEST(LBFGS, TakesTheStepsOfItsDefinition) {
  const Tensor curvature = tensor({1, 10, 3}, k64);
  const auto f = [&](const Tensor& x) { return sum(curvature * x * x) * 0.5 + sum(cos(x)); };
  Tensor x = tensor({1, 1, -2}, {.dtype = float64, .requires_grad = true});
  LBFGS optimizer({x}, {.lr = 0.5, .max_iter = 1, .history_size = 2});
  Tensor mine = x.detach().clone(), last_gradient, step;
  std::vector<std::pair<Tensor, Tensor>> pairs;
  for (int k = 0; k < 6; ++k) {
    optimizer.step(closure(optimizer, x, f));
    const Tensor g = curvature * mine - sin(mine);
    Tensor h = eye(3, k64);
    if (k > 0) {
      pairs.push_back({step, g - last_gradient});
      if (pairs.size() > 2) pairs.erase(pairs.begin());
      const auto& [s, y] = pairs.back();
      h = h * (sum(s * y) / sum(y * y));
      for (const auto& [s, y] : pairs) {
        const Tensor rho = 1 / sum(s * y), left = eye(3, k64) - rho * s.unsqueeze(1) * y;
        h = matmul(matmul(left, h), left.transpose(0, 1)) + rho * s.unsqueeze(1) * s;
      }
    }
    const double length = 0.5 * (k == 0 ? std::min(1.0, 1 / sum(abs(g)).item()) : 1);
    step = -length * matmul(h, g);
    last_gradient = g;
    mine = mine + step;
    EXPECT_TENSOR_NEAR(x.detach(), mine, 1e-12) << "step " << k;
  }
}

TEST(LBFGS, FindsTheBottomOfRosenbrocksValley) {
  Tensor x = at(-1.2, 1);
  LBFGS optimizer({x}, {.max_iter = 100, .tolerance_change = 1e-15, .line_search = LineSearch::strong_wolfe});
  int calls = 0;
  EXPECT_NEAR(optimizer.step(closure(optimizer, x, rosenbrock, &calls)), 24.2, 1e-12);
  EXPECT_TENSOR_NEAR(x.detach(), ones({2}, k64), 1e-6);
  EXPECT_LT(calls, 80);
}

TEST(LBFGS, TakesSeveralStepsAndParameters) {
  Tensor a = tensor({-1.2}, {.dtype = float64, .requires_grad = true}), b = ones({}, k64).set_requires_grad();
  const std::vector<std::pair<std::string, Tensor>> named{{"a", a}, {"b", b}};
  LBFGS optimizer(named, {.max_iter = 5, .tolerance_change = 1e-15, .line_search = LineSearch::strong_wolfe});
  for (int i = 0; i < 20; ++i)
    optimizer.step([&] {
      optimizer.zero_grad();
      Tape tape;
      const Tensor loss = sum(100 * square(b - square(a)) + square(1 - a));
      tape.backward(loss);
      return loss.item();
    });
  EXPECT_NEAR(a[0].item(), 1, 1e-6);
  EXPECT_NEAR(b.item(), 1, 1e-6);
}

TEST(LBFGS, FindsLengthsThatSatisfyTheStrongWolfeConditions) {
  manual_seed(3);
  for (int trial = 0; trial < 50; ++trial) {
    Tensor x = (2 * randn({2}, k64)).set_requires_grad();
    LBFGS optimizer({x}, {.lr = std::pow(10.0, trial % 5 - 2), .max_iter = 1, .line_search = LineSearch::strong_wolfe});
    const auto f = closure(optimizer, x, rosenbrock);
    const double before = f();
    const Tensor from = x.detach().clone(), g = x.grad().clone();
    optimizer.step(f);
    const Tensor step = x.detach() - from;
    const double slope = sum(g * step).item(), after = f();
    EXPECT_LE(after, before + 1e-4 * slope) << trial;
    EXPECT_LE(std::abs(sum(x.grad() * step).item()), 0.9 * std::abs(slope)) << trial;
  }
}

TEST(LBFGS, GoesOnWithTheSameBitsFromASavedState) {
  for (const auto search : {LineSearch::none, LineSearch::strong_wolfe})
    for (int stop : {0, 1, 3}) {
      const LBFGSOptions options{.lr = 0.1, .max_iter = 3, .history_size = 4, .line_search = search};
      Tensor x = at(-1.2, 1);
      LBFGS straight({x}, options);
      for (int i = 0; i < stop; ++i) straight.step(closure(straight, x, rosenbrock));
      Tensor copy = x.detach().clone().set_requires_grad();
      LBFGS resumed({copy}, options);
      resumed.load_state_dict(straight.state_dict());
      for (int i = 0; i < 4; ++i) {
        straight.step(closure(straight, x, rosenbrock));
        resumed.step(closure(resumed, copy, rosenbrock));
      }
      EXPECT_TENSOR_NEAR(copy.detach(), x.detach(), 0);
    }
}

TEST(LBFGS, RefusesAStateThatDoesNotFitAndChangesNothing) {
  Tensor x = at(-1.2, 1);
  LBFGS optimizer({x}, {.max_iter = 3});
  optimizer.step(closure(optimizer, x, rosenbrock));
  const StateDict before = optimizer.state_dict();
  StateDict bad = before;
  bad.erase("lbfgs.gradient");
  EXPECT_THAT([&] { optimizer.load_state_dict(bad); },
              ThrowsMessage<ValueError>("LBFGS: load_state_dict: the state does not fit; 'lbfgs.gradient' is missing"));
  bad = before;
  bad["lr.0"] = tensor({-1}, k64);
  EXPECT_THROW(optimizer.load_state_dict(bad), ValueError);
  for (const auto& [name, value] : optimizer.state_dict()) EXPECT_TENSOR_NEAR(value, before.at(name), 0) << name;
}

TEST(LBFGS, ComesBackFromPointsThatAreNotFinite) {
  Tensor x = tensor({1}, {.dtype = float64, .requires_grad = true});
  LBFGS optimizer({x}, {.lr = 100, .max_iter = 30, .line_search = LineSearch::strong_wolfe});
  const auto f = [](const Tensor& x) { return sum(2 * x - log(x)); };  // NaN below 0; the first length tried goes there
  optimizer.step(closure(optimizer, x, f));
  EXPECT_NEAR(x[0].item(), 0.5, 1e-6);
}

TEST(LBFGS, ChangesNothingWhereTheGradientIsNotFinite) {
  Tensor x = at(NAN, 1);
  LBFGS optimizer({x});
  optimizer.step(closure(optimizer, x, rosenbrock));
  EXPECT_EQ(optimizer.skipped_steps(), 1);
  EXPECT_EQ(x[1].item(), 1);
}

TEST(LBFGS, RejectsWhatItCannotDo) {
  Tensor x = at(-1.2, 1), y = ones({2}, {.requires_grad = true});
  EXPECT_THAT([&] { LBFGS({x}, {.max_iter = 0}); },
              ThrowsMessage<ValueError>("LBFGS: max_iter must be at least 1, got 0"));
  EXPECT_THAT([&] { LBFGS({x}, {.history_size = 0}); },
              ThrowsMessage<ValueError>("LBFGS: history_size must be at least 1, got 0"));
  EXPECT_THAT(
      [&] {
        LBFGS({x, y});
      },
      ThrowsMessage<DtypeError>("LBFGS: all parameters must have one dtype, got float64 and float32"));
  LBFGS optimizer({x});
  EXPECT_THROW(optimizer.step([] { return 0.0; }), AutogradError) << "no gradient";
  x.set_grad(ones({2}, k64));
  EXPECT_THAT([&] { static_cast<Optimizer&>(optimizer).step(); },
              ThrowsMessage<Error>("LBFGS: step() needs a function that computes the loss and its gradients: it "
                                   "is called often"));
}

}  // namespace
}  // namespace tapegrad::optim
