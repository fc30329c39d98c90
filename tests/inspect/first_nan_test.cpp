// Planted NaNs and infinities, each of which must be named at the place where it was made.
#include <tapegrad/inspect/first_nan.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {
namespace {

using inspect::FirstNan;
using inspect::NanOrigin;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What is found in f(tape); an origin without an operation where nothing is.
template <class F>
NanOrigin planted(F f, const nn::ModuleBase* model = nullptr) {
  FirstNan nan = model ? FirstNan(*model) : FirstNan();
  Tape tape({.observers = {&nan}});
  try {
    tape.backward(f());
  } catch (const AutogradError& error) {
    EXPECT_EQ(error.what(), to_string(nan.origin()));
  }
  return nan.origin();
}

Tensor leaf(std::initializer_list<double> values) { return tensor(values, {.requires_grad = true}); }

TEST(FirstNan, NamesZeroByZero) {
  const Tensor a = leaf({1, 0}), b = leaf({2, 0});
  const NanOrigin o = planted([&] { return sum(exp(a / b)); });
  EXPECT_EQ(o.op, "div");
  EXPECT_FALSE(o.backward);
  EXPECT_EQ(o.where, "[1]");
  EXPECT_THAT(o.inputs[1], HasSubstr("0 at [1]"));
  EXPECT_THAT(o.hint, HasSubstr("eps"));
}

TEST(FirstNan, NamesTheLogarithmOfZeroAndTheWayToIt) {
  nn::Linear fc(2, 3);
  fc.weight.zero_();
  fc.bias.zero_();
  const NanOrigin o = planted([&] { return -mean(log(relu(fc(ones({4, 2}))))); }, &fc);
  EXPECT_EQ(o.op, "log");
  EXPECT_TRUE(o.infinite);
  EXPECT_EQ(o.where, "[0, 0]");
  EXPECT_THAT(o.chain, ElementsAre("weight", "linear", "relu", "log"));
}

TEST(FirstNan, NamesTheOverflowOfExpNotTheDivisionThatMakesItNan) {
  const Tensor x = leaf({1, 100});
  const NanOrigin o = planted([&] {
    const Tensor e = exp(x);
    return sum(e / sum(e));  // a softmax by hand
  });
  EXPECT_EQ(o.op, "exp");
  EXPECT_EQ(o.where, "[1]");
  EXPECT_THAT(o.hint, HasSubstr("largest value"));
}

TEST(FirstNan, NamesTheRootWhoseDerivativeIsInfinite) {
  const Tensor x = leaf({4, 0});
  const NanOrigin o = planted([&] { return sum(sqrt(x * x)); });
  EXPECT_EQ(o.op, "sqrt");
  EXPECT_TRUE(o.backward);
  EXPECT_THAT(o.where, HasSubstr("[1]"));
  EXPECT_THAT(o.hint, HasSubstr("infinite at 0"));
}

TEST(FirstNan, NamesTheRootOfANegativeNumber) {
  const Tensor x = leaf({4, -1});
  EXPECT_EQ(planted([&] { return sum(sqrt(x) * 2.0); }).op, "sqrt");
}

TEST(FirstNan, NamesTheNormOfAConstantRowWithoutEps) {
  nn::Sequential net(nn::Linear(2, 3), nn::LayerNorm(3, {.eps = 0}));
  net.parameters()[0].zero_();
  net.parameters()[1].zero_();
  const NanOrigin o = planted([&] { return sum(net(ones({2, 2}))); }, &net);
  EXPECT_EQ(o.op, "layer_norm");
  EXPECT_EQ(o.module, "1");
  EXPECT_THAT(o.hint, HasSubstr("eps"));
}

TEST(FirstNan, NamesTheSoftmaxOfAMaskedRowNotTheMask) {
  const Tensor x = tensor({{1, 2}, {3, 4}}, {.requires_grad = true});
  const double minus = -std::numeric_limits<double>::infinity();
  const NanOrigin o = planted([&] {
    const Tensor scores = masked_fill(x, tensor({{1, 0}, {1, 1}}, {.dtype = boolean}), minus);
    return sum(softmax(scores, -1));
  });
  EXPECT_EQ(o.op, "softmax");
  EXPECT_THAT(o.where, HasSubstr("[1, 0]"));
  EXPECT_THAT(o.hint, HasSubstr("masked"));
}

TEST(FirstNan, NamesTheDivisionThatOnlyTheBackwardPassSees) {
  const Tensor a = leaf({1, 1}), b = leaf({2, 0});
  const NanOrigin o = planted([&] { return sum(where(ne(b.detach(), 0.0), a / b, 0.0)); });
  EXPECT_EQ(o.op, "div");
  EXPECT_EQ(o.where, "[1]");
}

TEST(FirstNan, NamesAPowerInTheBackwardPass) {
  const Tensor x = leaf({1, 0});
  const NanOrigin o = planted([&] { return sum(pow(x, 0.5)); });
  EXPECT_EQ(o.op, "pow");
  EXPECT_TRUE(o.backward);
}

TEST(FirstNan, NamesTheLogarithmThatIsMultipliedByZero) {
  const Tensor p = leaf({0, 1});
  const NanOrigin o = planted([&] { return -sum(p * log(p)); });
  EXPECT_EQ(o.op, "log");
  EXPECT_EQ(o.where, "[0]");
}

TEST(FirstNan, NamesTheRowOfTheDataThatHasIt) {
  nn::Linear fc(4, 2);
  Tensor x = ones({32, 4});
  x[17].copy_(tensor({1, 1, std::nan(""), 1}));
  const NanOrigin o = planted([&] { return mean(fc(x)); }, &fc);
  EXPECT_TRUE(o.from_outside);
  EXPECT_EQ(o.op, "linear");
  EXPECT_EQ(o.where, "[17, 2]");
  EXPECT_THAT(o.hint, HasSubstr("data"));
}

TEST(FirstNan, NamesTheParameterThatHasIt) {
  nn::Sequential net(nn::Linear(4, 2), nn::Tanh(), nn::Linear(2, 1));
  net.parameters()[2].fill_(std::nan(""));
  const NanOrigin o = planted([&] { return mean(net(ones({3, 4}))); }, &net);
  EXPECT_TRUE(o.from_outside);
  EXPECT_EQ(o.module, "2");
  EXPECT_THAT(o.inputs[1], HasSubstr("NaN"));
}

TEST(FirstNan, SaysThatTheLearningRateIsTooLarge) {
  manual_seed(0);
  nn::Linear fc(3, 1);
  const Tensor x = randn({16, 3}), y = randn({16, 1});
  optim::SGD optimizer(fc.parameters(), {.lr = 100});
  FirstNan nan(fc);
  const auto train = [&] {
    for (int step = 0; step < 200; ++step) {
      Tape tape({.observers = {&nan}});
      const Tensor loss = mse_loss(fc(x), y);
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
    }
  };
  EXPECT_THROW(train(), AutogradError);
  EXPECT_EQ(nan.origin().op, "mul");
  EXPECT_THAT(nan.origin().hint, HasSubstr("learning rate"));
  EXPECT_EQ(nan.origin().chain[0], "weight");
}

TEST(FirstNan, NamesTheTimeStepOfAFusedLayer) {
  nn::RNN rnn(1, 2, {.relu = true});
  for (Tensor p : rnn.parameters()) p.fill_(1e6);
  const NanOrigin o = planted([&] { return sum(rnn(ones({20, 1, 1})).output); }, &rnn);
  EXPECT_EQ(o.op, "rnn");
  EXPECT_EQ(o.step, 6);  // h_t is about 1e6 (2e6)^t, beyond 3.4e38 at t = 6
  EXPECT_FALSE(o.backward);
}

TEST(FirstNan, SaysNothingWhereAllIsFinite) {
  nn::Sequential net(nn::Linear(4, 8), nn::LayerNorm(8), nn::ReLU(), nn::Linear(8, 2));
  EXPECT_EQ(planted([&] { return mean(net(ones({3, 4}))); }).op, "");
}

TEST(FirstNan, SaysNothingOfAnInfinityThatDoesNoHarm) {
  const Tensor x = leaf({1, 200});
  EXPECT_EQ(planted([&] { return sum(1.0 / (1.0 + exp(x).detach()) * x); }).op, "");
  EXPECT_EQ(planted([&] {
              return sum(softmax(masked_fill(x, tensor({1, 0}, {.dtype = boolean}), -INFINITY), -1) * x);
            }).op,
            "");
}

TEST(FirstNan, LeavesTheTapeUsable) {
  const Tensor x = leaf({0, 1});
  FirstNan nan;
  for (int i = 0; i < 3; ++i) {
    Tape tape({.observers = {&nan}});
    EXPECT_THROW(tape.backward(sum(log(x))), AutogradError);
    EXPECT_FALSE(x.grad().defined());
  }
}

TEST(FirstNan, SaysAllOfItInOneLine) {
  const Tensor a = leaf({1, 0});
  const NanOrigin o = planted([&] { return sum(a / a); });
  EXPECT_EQ(to_string(o),
            "div, forward: made NaN at [1]; input 0 [2] in [0, 1], 0 at [1], input 1 [2] in [0, 1], 0 at "
            "[1]; from a leaf > "
            "div. Hint: a division by zero: add eps to the denominator, or mask it with where()");
}

}  // namespace
}  // namespace tapegrad
