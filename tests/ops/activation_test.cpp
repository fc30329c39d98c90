// Activations against their definitions in double arithmetic, at kinks and at special values.
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64{.dtype = float64};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Mish, IsXTimesTanhOfSoftplus) {
  std::vector<double> x, y;
  for (double v = -30; v < 30; v += 0.7) x.push_back(v), y.push_back(v * std::tanh(std::log1p(std::exp(v))));
  expect_near(mish(from_vector(x, {int64_t(x.size())})), y);
  // PyTorch: F.mish(torch.tensor([-1.0, 0.0, 1.0, 2.0])).
  EXPECT_TENSOR_NEAR(mish(tensor({-1, 0, 1, 2})), tensor({-0.30340147, 0, 0.86509836, 1.94395888}), 1e-6);
  EXPECT_TENSOR_NEAR(mish(tensor({-1e4, 1e30})), tensor({0, 1e30}), 0);
  EXPECT_TRUE(std::isnan(mish(tensor(NAN)).item()));
}

TEST(PReLU, MultipliesWhatIsNotPositive) {
  const Tensor x = tensor({{-2, 3}, {4, -5}}, k64);
  expect_near(prelu(x, tensor({0.5}, k64)), {-1, 3, 4, -2.5});
  expect_near(prelu(x, tensor({0.5, -1}, k64)), {-1, 3, 4, 5});
  expect_near(prelu(tensor(-2, k64), tensor({0.5}, k64)), {-1});
  EXPECT_EQ(prelu(zeros({0, 3}), ones({3})).shape(), (Shape{0, 3}));
}

TEST(PReLU, HasPyTorchsGradientsAtTheKinkAndAtInfinity) {
  const Tensor x = tensor({-2, 0, kInfinity, 3}, k64).set_requires_grad();
  const Tensor w = tensor({0.25}, k64).set_requires_grad();
  Tape tape;
  const auto d = tape.gradient(sum(prelu(x, w)), {x, w});
  expect_near(d[0], {0.25, 0.25, 1, 1});
  expect_near(d[1], {-2});
}

TEST(PReLU, RejectsAWeightThatIsNotOneNumberOrOneAChannel) {
  EXPECT_EQ(message<ShapeError>([] {
              prelu(ones({2, 3}), ones({2}));
            }),
            "prelu: weight must be [1] or a number for each of the 3 channels of x [2, 3], got [2]");
  EXPECT_EQ(message<ValueError>([] { nn::PReLU(0); }), "PReLU: num_parameters must be positive, got 0");
}

TEST(Glu, LetsAHalfThroughAsTheOtherSays) {
  const Tensor x = tensor({{1, 2, 0, 100}, {3, -4, -100, 0}}, k64);
  expect_near(glu(x), {0.5, 2, 0, -2});
  expect_near(glu(x, 0), {1 / (1 + std::exp(-3)), 2 / (1 + std::exp(4)), 0, 50});
  EXPECT_EQ(message<ShapeError>([] {
              glu(ones({2, 3}));
            }),
            "glu: axis -1 must have an even size, of two halves, got x [2, 3]");
}

}  // namespace

TAPEGRAD_TEST_MODULE(MishModule, nn::Mish(), Shape{4, 3});
TAPEGRAD_TEST_MODULE(PReLUModule, nn::PReLU(3), Shape{4, 3, 2});
TAPEGRAD_TEST_MODULE(GLUModule, nn::GLU(1), Shape{3, 4});
TAPEGRAD_TEST_MODULE(LogSoftmaxModule, nn::LogSoftmax(), Shape{4, 3});
TAPEGRAD_TEST_MODULE(IdentityModule, nn::Identity(), Shape{4, 3});

}  // namespace tapegrad
