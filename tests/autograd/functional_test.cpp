// The Jacobian and Hessian-vector products against closed forms.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "support/message.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64{.dtype = float64};

TEST(Jacobian, IsTheMatrixOfALinearMap) {
  const Tensor a = tensor({{1, 2, 3}, {4, 5, 6}}, k64);
  const auto map = [&](const Tensor& x) { return matmul(a, x); };
  EXPECT_TENSOR_NEAR(jacobian(map, randn({3}, k64)), a, 0);
}

TEST(Jacobian, HasTheShapeOfTheOutputAndThenOfTheInput) {
  const Tensor x = randn({2, 3}, k64);
  const Tensor j = jacobian([](const Tensor& x) { return x * x; }, x);
  EXPECT_EQ(j.shape(), (Shape{2, 3, 2, 3}));
  EXPECT_TENSOR_NEAR(j.reshape({6, 6}), eye(6, k64) * (2 * x).flatten(0), 1e-15);
  EXPECT_EQ(jacobian([](const Tensor& x) { return sum(x); }, x).shape(), x.shape());
  EXPECT_EQ(jacobian([](const Tensor& x) { return x; }, zeros({0, 2})).shape(), (Shape{0, 2, 0, 2}));
}

TEST(Jacobian, OfWhatDoesNotDependOnTheInputIsZeroAndOfTheInputItselfTheIdentity) {
  const Tensor x = randn({3}, k64);
  EXPECT_TENSOR_NEAR(jacobian([](const Tensor&) { return ones({2}, k64); }, x), zeros({2, 3}, k64), 0);
  EXPECT_TENSOR_NEAR(jacobian([](const Tensor& x) { return x; }, x), eye(3, k64), 0);
}

TEST(Jacobian, LeavesTheParametersAndTheTapeAroundItAlone) {
  Tensor w = full({3}, 2, {.dtype = float64, .requires_grad = true});
  Tape tape;
  const Tensor y = sum(w * w);
  const Tensor j = jacobian([&](const Tensor& x) { return x * w; }, ones({3}, k64));
  EXPECT_TENSOR_NEAR(j, 2 * eye(3, k64), 0);
  EXPECT_FALSE(j.is_recorded());
  EXPECT_FALSE(w.grad().defined());
  tape.backward(y);
  EXPECT_TENSOR_NEAR(w.grad(), full({3}, 4, k64), 0);
}

TEST(Hvp, IsTheHessianTimesTheVector) {
  const Tensor x = randn({4}, k64), v = randn({4}, k64);
  const auto [y, hv] = hvp([](const Tensor& x) { return sum(x * x * x); }, x, v);
  EXPECT_NEAR(y.item(), sum(x * x * x).item(), 1e-14);
  EXPECT_TENSOR_NEAR(hv, 6 * x * v, 1e-13);
}

TEST(Hvp, OfRosenbrockIsItsHessian) {
  const auto f = [](const Tensor& x) { return square(1 - x[0]) + 100 * square(x[1] - square(x[0])); };
  const double a = -1.5, b = 2;
  const Tensor x = tensor({a, b}, k64);
  EXPECT_TENSOR_NEAR(hvp(f, x, tensor({1, 0}, k64)).second, tensor({1200 * a * a - 400 * b + 2, -400 * a}, k64), 1e-10);
  EXPECT_TENSOR_NEAR(hvp(f, x, tensor({0, 1}, k64)).second, tensor({-400 * a, 200}, k64), 1e-10);
}

TEST(Hvp, OfALinearFunctionIsZero) {
  const Tensor x = randn({3}, k64);
  EXPECT_TENSOR_NEAR(hvp([](const Tensor& x) { return sum(2 * x); }, x, x).second, zeros({3}, k64), 0);
  EXPECT_TENSOR_NEAR(hvp([](const Tensor&) { return tensor(1, k64); }, x, x).second, zeros({3}, k64), 0);
}

TEST(Hvp, RejectsAVectorThatIsNotAsTheInput) {
  const auto f = [](const Tensor& x) { return sum(x); };
  EXPECT_EQ(message<ShapeError>([&] { hvp(f, ones({2}), ones({3})); }), "hvp: v must have x's shape [2], got [3]");
  EXPECT_EQ(message<DtypeError>([&] { hvp(f, ones({2}), ones({2}, k64)); }),
            "hvp: v must have x's dtype float32, got float64");
}

}  // namespace
}  // namespace tapegrad
