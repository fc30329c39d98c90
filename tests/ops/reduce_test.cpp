#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Sum, GoesOverAnyAxes) {
  const Tensor x = arange(0, 24, 1, {.dtype = float64}).reshape({2, 3, 4});
  EXPECT_EQ(sum(x).item(), 276);
  EXPECT_EQ(sum(x, 0).to_vector<double>(), (std::vector<double>{12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34}));
  EXPECT_EQ(sum(x, 1).to_vector<double>(), (std::vector<double>{12, 15, 18, 21, 48, 51, 54, 57}));
  EXPECT_EQ(sum(x, -1).to_vector<double>(), (std::vector<double>{6, 22, 38, 54, 70, 86}));
  EXPECT_EQ(sum(x, {0, 2}).to_vector<double>(), (std::vector<double>{60, 92, 124}));
  EXPECT_EQ(sum(x.permute({2, 0, 1}), {0, 1}).to_vector<double>(), (std::vector<double>{60, 92, 124}));
  EXPECT_EQ(sum(x, {0, 2}, {.keepdim = true}).shape(), (Shape{1, 3, 1}));
}

TEST(Sum, OfATallBlockIsTheSameAsOfItsColumns) {
  const Tensor x = gaussian({5000, 70});
  std::vector<double> want(70);
  const std::vector<double> values = x.to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) want[i % 70] += values[i];
  expect_near(sum(x, 0), want, 1e-11);
  expect_near(sum(x.transpose(0, 1).clone(), 1), want, 1e-11);
}

TEST(Sum, HasTheSameBitsForAnyNumberOfThreads) {
  const Tensor x = randn({3000, 70});
  const int before = get_num_threads();
  set_num_threads(1);
  const Tensor one = sum(x, 0), all = sum(x);
  set_num_threads(3);
  EXPECT_EQ(sum(x, 0).to_vector<float>(), one.to_vector<float>());
  EXPECT_EQ(sum(x).item(), all.item());
  set_num_threads(before);
}

TEST(Reductions, OfNothingAreTheirNeutralElement) {
  const Tensor empty = zeros({0, 3});
  EXPECT_EQ(sum(empty).item(), 0);
  EXPECT_EQ(prod(empty, 0).to_vector<float>(), std::vector<float>(3, 1.0f));
  EXPECT_TRUE(std::isnan(mean(empty).item()));
  EXPECT_TRUE(std::isnan(var(empty).item()));
  EXPECT_EQ(logsumexp(empty, 0).to_vector<float>(), std::vector<float>(3, -kInf));
  EXPECT_EQ(sum(empty, 1).shape(), Shape{0});
  EXPECT_EQ(amax(empty, 1).shape(), Shape{0});
  EXPECT_EQ(softmax(empty).shape(), (Shape{0, 3}));
  EXPECT_EQ(message<ShapeError>([&] { max(empty); }), "max: there must be an element to take, got [0, 3]");
  EXPECT_EQ(message<ShapeError>([&] { amin(empty, 0); }), "amin: there must be an element to take, got [0, 3]");
  EXPECT_EQ(message<ShapeError>([&] { argmax(empty, 0); }), "argmax: there must be an element to take, got [0, 3]");
}

TEST(Reductions, SayWhichAxisIsWrong) {
  EXPECT_EQ(message<IndexError>([] { sum(zeros({2, 3}), 2); }), "sum: axis must be in [-2, 1] for 2 axes, got 2");
  EXPECT_EQ(message<IndexError>([] { mean(zeros({2, 3}), {0, -2}); }), "mean: axis -2 is named twice in [0, -2]");
  EXPECT_EQ(message<DtypeError>([] { prod(arange(3)); }),
            "prod: takes float32 or float64, got int64. Hint: convert with x.to(float32)");
}

TEST(Mean, IsExactWhereTheSumIs) {
  EXPECT_EQ(mean(tensor({1, 2, 3})).item(), 2);
  EXPECT_EQ(mean(tensor({{1, 2}, {3, 4}}), 0).to_vector<float>(), (std::vector<float>{2, 3}));
}

// Its gradient has no elements, so nothing depends on dy: the second derivative is 0, as in PyTorch.
TEST(Mean, OfNothingHasTheSecondDerivativeZero) {
  const auto second = [](auto loss) {
    const Tensor x = zeros({0, 3}).set_requires_grad(), scale = full({}, 2.0).set_requires_grad();
    Tape tape;
    const Tensor dx = tape.gradient(loss(x) * scale, {x}, {.create_graph = true})[0];
    return tape.gradient(sum(dx), {scale})[0];
  };
  const auto zero = [](const Tensor& t) { return !t.defined() || t.item() == 0; };
  EXPECT_TRUE(zero(second([](const Tensor& x) { return mean(x); })));
  EXPECT_TRUE(zero(second([](const Tensor& x) { return mse_loss(x, x); })));
  EXPECT_TRUE(zero(second([](const Tensor& x) { return l1_loss(x, x, {.reduction = Reduce::batchmean}); })));
}

TEST(Prod, OfNothingIsRecorded) {
  const Tensor x = zeros({3, 0}).set_requires_grad();
  Tape tape;
  const Tensor y = prod(x, 1);
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(3, 1.0f));
  tape.backward(sum(y));
  EXPECT_EQ(x.grad().shape(), (Shape{3, 0}));
}

TEST(Prod, HasTheGradientAtZeros) {
  const Tensor x = tensor({{2, 3, 4}, {2, 0, 4}, {0, 3, 0}}, {.requires_grad = true});
  Tape tape;
  const Tensor y = prod(x, 1);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{24, 0, 0}));
  tape.backward(sum(y));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{12, 8, 6, 0, 8, 0, 0, 0, 0}));
}

TEST(Prod, HasAGradientWhereAPartOfTheProductUnderflows) {
  const Tensor x = tensor({1e-20, 1e-20, 1e20, 1e20, 1e20}, {.requires_grad = true});
  Tape tape;
  tape.backward(prod(x));
  for (size_t i : {2, 3, 4}) EXPECT_NEAR(x.grad().to_vector<float>()[i], 1, 1e-6) << i;
}

TEST(Prod, HasTheSecondDerivativeAtZeros) {
  const Tensor x = tensor({2, 0, 5}, {.dtype = float64, .requires_grad = true});
  Tape tape;
  const auto first = tape.gradient(prod(x), {x}, {.create_graph = true});
  EXPECT_EQ(first[0].to_vector<double>(), (std::vector<double>{0, 10, 0}));
  const auto second = tape.gradient(sum(first[0]), {x});
  EXPECT_EQ(second[0].to_vector<double>(), (std::vector<double>{5, 7, 2}));
}

// The gradient of sum(y) over n equal elements is softmax, whose elements add up to one.
TEST(LogSumExp, GradientKeepsItsDigitsWhereTheMeanIsLarge) {
  for (double offset : {0.0, 1e4, 1e6, 1e8}) {
    Tensor x = full({1000}, offset, {.requires_grad = true});
    Tape tape;
    const Tensor dx = tape.gradient(logsumexp(x), {x})[0];
    EXPECT_NEAR(sum(dx).item(), 1, 1e-6) << offset;
  }
}

TEST(Var, GradientKeepsItsDigitsWhereTheMeanIsLarge) {
  const std::vector<double> steps{0, 1, 2, 3};
  for (double offset : {1e5, 1e6, 1.6e7 - 4}) {
    Tensor x = (tensor({0, 1, 2, 3}) + offset).set_requires_grad();
    Tape tape;
    const Tensor of_var = tape.gradient(var(x), {x}, {.retain_graph = true})[0];
    const Tensor of_std = tape.gradient(std(x), {x})[0];
    for (int64_t i = 0; i < 4; ++i) {
      const double centered = steps[size_t(i)] - 1.5;  // the variance is 5 / 3
      EXPECT_NEAR(of_var[i].item(), 2 * centered / 3, 1e-6) << offset;
      EXPECT_NEAR(of_std[i].item(), centered / 3 / std::sqrt(5.0 / 3), 1e-6) << offset;
    }
  }
}

TEST(Var, TakesTwoPasses) {
  const Tensor x = tensor({{40000, 40001, 40002, 40003}, {1e6, 1e6, 1e6, 1e6}});
  EXPECT_EQ(var(x, 1, {.correction = 0}).to_vector<float>(), (std::vector<float>{1.25, 0}));
  EXPECT_EQ(var(x.transpose(0, 1), 0, {.correction = 0}).to_vector<float>(), (std::vector<float>{1.25, 0}));
  EXPECT_FLOAT_EQ(float(std(x[0]).item()), std::sqrt(5.0f / 3.0f));
  EXPECT_TRUE(std::isnan(var(tensor({1.0})).item()));
  EXPECT_EQ(var(tensor({1.0}), {}, {.correction = 0}).item(), 0);
}

TEST(Std, OfAConstantRowHasNoGradient) {
  const Tensor x = full({4}, 3.0, {.requires_grad = true});
  Tape tape;
  tape.backward(std(x));
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(4, 0.0f));
}

TEST(Norm, IsSafeForLargeElementsAndAtZero) {
  EXPECT_FLOAT_EQ(float(norm(tensor({3e20, 4e20})).item()), 5e20f);
  EXPECT_EQ(norm(tensor({{3, -4}, {-1, 2}}), 1, {.p = 1}).to_vector<float>(), (std::vector<float>{7, 3}));
  EXPECT_EQ(norm(tensor({{3, -4}, {-1, 2}}), {}, {.p = kInf}).item(), 4);
  const Tensor x = zeros({3}, {.requires_grad = true});
  Tape tape;
  tape.backward(norm(x));
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(3, 0.0f));
}

// As in PyTorch: an L1 penalty leaves a weight of exactly 0 where it is.
TEST(Norm, OfMagnitudesHasNoGradientAtZero) {
  const auto gradient = [](const Tensor& values, double p) {
    const Tensor x = values.clone().set_requires_grad();
    Tape tape;
    tape.backward(norm(x, {}, {.p = p}));
    return x.grad().to_vector<float>();
  };
  EXPECT_EQ(gradient(tensor({0, -1, 2}), 1), (std::vector<float>{0, -1, 1}));
  EXPECT_EQ(gradient(tensor({0, -2, 1}), kInf), (std::vector<float>{0, -1, 0}));
  EXPECT_EQ(gradient(zeros({3}), kInf), (std::vector<float>{0, 0, 0}));
}

TEST(Max, NamesTheFirstOfEquals) {
  const Tensor x = tensor({{1, 5, 5}, {7, 2, 7}}, {.requires_grad = true});
  Tape tape;
  const auto [values, indices] = max(x, -1);
  EXPECT_EQ(values.to_vector<float>(), (std::vector<float>{5, 7}));
  EXPECT_EQ(indices.to_vector<int64_t>(), (std::vector<int64_t>{1, 0}));
  tape.backward(sum(values));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(min(x, 0).indices.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 0}));
  EXPECT_EQ(argmax(x).item(), 3);
  EXPECT_EQ(argmin(x, 0, {.keepdim = true}).shape(), (Shape{1, 3}));
  EXPECT_EQ(max(arange(5)).item(), 4);
}

TEST(Max, OfEqualElementsSharesTheGradient) {
  const Tensor x = tensor({{1, 5, 5}, {7, 2, 7}}, {.requires_grad = true});
  Tape tape;
  tape.backward(sum(amax(x, 1)));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 0.5, 0.5, 0.5, 0, 0.5}));
}

TEST(Max, PassesNanOn) {
  const Tensor x = tensor({{1, kNan, 5}, {7, 2, 3}});
  EXPECT_TRUE(std::isnan(max(x).item()));
  EXPECT_EQ(max(x, 1).indices.to_vector<int64_t>(), (std::vector<int64_t>{1, 0}));
  EXPECT_TRUE(std::isnan(amin(x, 0).to_vector<float>()[1]));
}

TEST(Cumsum, RunsAlongAnyAxis) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, {.requires_grad = true});
  EXPECT_EQ(cumsum(x, 0).to_vector<float>(), (std::vector<float>{1, 2, 3, 5, 7, 9}));
  Tape tape;
  const Tensor y = cumsum(x, 1);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{1, 3, 6, 4, 9, 15}));
  tape.backward(sum(y));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{3, 2, 1, 3, 2, 1}));
}

TEST(Logsumexp, OfInfinitiesIsTheLargestAndOfNanIsNan) {
  const Tensor x = tensor({{kInf, 0, -kInf}, {-kInf, -kInf, -kInf}, {kInf, kNan, 0}, {-kInf, 1, kNan}});
  const std::vector<float> y = logsumexp(x, 1).to_vector<float>();
  EXPECT_EQ(y[0], kInf);
  EXPECT_EQ(y[1], -kInf);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_TRUE(std::isnan(y[3]));
}

TEST(Softmax, IsSafeForAnyFiniteRow) {
  EXPECT_EQ(softmax(tensor({1e38, 1e38})).to_vector<float>(), (std::vector<float>{0.5, 0.5}));
  EXPECT_EQ(softmax(tensor({-kInf, 0})).to_vector<float>(), (std::vector<float>{0, 1}));
  EXPECT_EQ(log_softmax(tensor({1000, 0})).to_vector<float>(), (std::vector<float>{0, -1000}));
  EXPECT_FLOAT_EQ(float(logsumexp(tensor({1000, 1000})).item()), float(1000 + std::log(2.0)));
  EXPECT_TRUE(std::isnan(softmax(tensor({kNan, 0})).to_vector<float>()[1]));
}

TEST(Softmax, TakesAnyAxis) {
  const Tensor x = gaussian({3, 4, 5});
  for (int64_t axis : {0, 1, 2}) {
    const Tensor e = exp(x), want = e / sum(e, axis, {.keepdim = true});
    expect_near(softmax(x, axis), want.to_vector<double>());
    expect_near(log_softmax(x, axis), log(want).to_vector<double>());
    expect_near(logsumexp(x, axis), log(sum(e, axis)).to_vector<double>());
  }
  expect_near(logsumexp(x, {0, 2}), log(sum(exp(x), {0, 2})).to_vector<double>());
}

TEST(Cumprod, MultipliesUpInFloat64) {
  EXPECT_TENSOR_NEAR(cumprod(tensor({{1, 2, 3}, {4, 0, 5}}), 1), tensor({{1, 2, 6}, {4, 0, 0}}), 0);
  EXPECT_TENSOR_NEAR(cumprod(tensor({{1, 2, 3}, {4, 0, 5}}), 0), tensor({{1, 2, 3}, {4, 0, 15}}), 0);
  const Tensor x = tensor({1e-30, 1e-30, 1e30, 1e30, 2}, {.requires_grad = true});
  Tape tape;
  const Tensor y = cumprod(x, 0);
  EXPECT_NEAR(y[4].item(), 2, 1e-6) << "between, the product is no float32";
  EXPECT_NEAR(tape.gradient(y[4], {x})[0][4].item(), 1, 1e-6);
  EXPECT_TRUE(std::isnan(cumprod(tensor({1, NAN, 2}), 0)[2].item()));
  EXPECT_THAT(cumprod(zeros({0, 3}), 0), HasShape({0, 3}));
  EXPECT_THROW(cumprod(arange(3), 0), DtypeError);
}

}  // namespace
}  // namespace tapegrad
