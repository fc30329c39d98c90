// What a newcomer writes first: a graph of numbers, an operation, a classifier without modules.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

using namespace tapegrad;
using ::testing::HasSubstr;

TEST(Programs, AScalarGraphByHand) {
  Tensor a = tensor(-4.0, {.requires_grad = true}), b = tensor(2.0, {.requires_grad = true});
  Tape tape;
  Tensor c = a * b + pow(b, 3);
  Tensor d = c + relu(b + a);
  tape.backward(d);
  const std::string text = fmt::format("{}\n{}\n", a.grad(), tape);

  EXPECT_EQ(d.item(), 0);         // -8 + 8 + relu(-2)
  EXPECT_EQ(a.grad().item(), 2);  // b + 0
  EXPECT_EQ(b.grad().item(), 8);  // a + 3 b^2 + 0
  for (const char* part :
       {"#", "operation", "inputs", "shape", "saved", "module", "mul", "pow", "add", "relu", "leaf", "8 records"})
    EXPECT_THAT(text, HasSubstr(part));
}

namespace {
Tensor swish(const Tensor& x) {
  return custom_op(
      "swish", {x}, [&] { return x * sigmoid(x); },  // forward: nothing in here is recorded
      [x](const Tensor& dy) -> Gradients {
        Tensor s = sigmoid(x);
        return {dy * (s + x * s * (1 - s))};
      });
}
}  // namespace

TEST(Swish, GradientIsRight) {
  EXPECT_GRADIENTS([](const Tensor& x) { return swish(x); }, randn({3, 4}, {.dtype = float64}));
}

TEST(Swish, IsOneRecord) {
  const Tensor x = randn({3}, {.requires_grad = true});
  Tape tape;
  swish(x);
  EXPECT_EQ(tape.size(), 2u);  // the leaf, the operation
  EXPECT_EQ(tape[1].op, "swish");
}

TEST(Programs, SoftmaxRegressionWithoutModules) {
  auto [train, test] = data::csv(TAPEGRAD_DATA_DIR "/digits.csv").split(0.8);
  const Tensor images = train.x() / 16.0;
  Tensor W = zeros({64, 10}, {.requires_grad = true});
  Tensor b = zeros({10}, {.requires_grad = true});
  double first = 0, loss_now = 0;
  for (int step = 0; step < 500; ++step) {
    {
      Tape tape;
      Tensor loss = cross_entropy(matmul(images, W) + b, train.y());
      tape.backward(loss);
      loss_now = loss.item();
    }
    if (step == 0) first = loss_now;
    W -= 1.0 * W.grad();
    b -= 1.0 * b.grad();
    W.zero_grad();
    b.zero_grad();
  }
  EXPECT_NEAR(first, std::log(10), 1e-6);  // all classes are equally likely
  EXPECT_LT(loss_now, 0.2);
  EXPECT_GT(train::accuracy(matmul(test.x() / 16.0, W) + b, test.y()), 0.93);
}

TEST(Programs, AWordOnNaN) {
  struct Net : nn::Module<Net> {
    nn::Linear fc = add("fc", nn::Linear(2, 2));
    nn::ReLU act = add("act", nn::ReLU());
    Tensor forward(const Tensor& x) { return log(act(fc(x)) - 1e9); }
  };
  Net net;
  Tape tape({.check_finite = true});
  try {
    net(ones({3, 2}));
    FAIL() << "the logarithm of a negative number passed";
  } catch (const AutogradError& error) {
    EXPECT_THAT(error.what(), HasSubstr("log: made a value that is not finite from finite inputs"));
    EXPECT_THAT(error.what(), HasSubstr("Net"));
    EXPECT_THAT(error.what(), HasSubstr("input 0 [3, 2] in [-1e+09, -1e+09]"));
  }
}

TEST(Programs, ALossThatIsNaNIsNeverPassedOver) {
  Tensor w = tensor({1, 1}, {.requires_grad = true});
  const Tensor x = tensor({1, NAN});  // a measurement that is missing
  {
    Tape tape({.check_finite = true});
    EXPECT_THROW(w * x, AutogradError);
  }
  // Without checks the optimizer finds it.
  optim::SGD optimizer({w}, {.lr = 0.1});
  Tape tape;
  tape.backward(sum(w * x));
  EXPECT_FALSE(optimizer.step());
  EXPECT_EQ(optimizer.skipped_steps(), 1);
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{1, 1}));
}
