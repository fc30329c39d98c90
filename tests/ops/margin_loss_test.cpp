// Losses with a margin, and the Gaussian one, against numbers made by hand.
#include <tapegrad/testing.h>

#include <cmath>
#include <numbers>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64{.dtype = float64};

Tensor labels(const std::vector<int64_t>& values) { return from_vector(values, {int64_t(values.size())}); }

// Row 0: 1 - 0.8 + (0.1, 0.2, 0.4) = 0.3, 0.4, 0.6 without the label 3. Row 1: 1 - 2 + ... is below 0 but for 1.5.
TEST(MultiMargin, SumsWhatFallsShortOfTheMargin) {
  const Tensor x = tensor({{0.1, 0.2, 0.4, 0.8}, {2, 1.5, 0, -1}}, k64);
  const Tensor y = labels({3, 0});
  expect_near(multi_margin_loss(x, y, {.reduction = Reduce::none}), {1.3 / 4, 0.5 / 4});
  expect_near(multi_margin_loss(x, y), {1.8 / 8});
  expect_near(multi_margin_loss(x, y, {.p = 2, .reduction = Reduce::sum}), {(0.09 + 0.16 + 0.36 + 0.25) / 4});
  expect_near(multi_margin_loss(x, y, {.margin = 0.5, .reduction = Reduce::none}), {0.1 / 4, 0});
  const Tensor weight = tensor({3, 1, 1, 2}, k64);
  expect_near(multi_margin_loss(x, y, {.weight = weight, .reduction = Reduce::none}), {2.6 / 4, 1.5 / 4});
}

TEST(MultiMargin, HasASlopeOnlyWhereItCosts) {
  const Tensor x = tensor({{2, 1.5, 0, 1}}, k64).set_requires_grad();  // 1 - 2 + 1 = 0: at the kink
  Tape tape;
  expect_near(tape.gradient(multi_margin_loss(x, labels({0})), {x})[0], {-0.25, 0.25, 0, 0});
}

TEST(MultiMargin, TakesPositionsAndChecksEveryLabel) {
  const Tensor x = gaussian({2, 3, 4}), y = randint(0, 3, {2, 4});
  const Tensor each = multi_margin_loss(x, y, {.reduction = Reduce::none});
  EXPECT_EQ(each.shape(), (Shape{2, 4}));
  const Tensor rows = multi_margin_loss(x.transpose(1, 2).reshape({8, 3}), y.reshape({8}));
  EXPECT_TENSOR_NEAR(mean(each), rows, 1e-14);
  EXPECT_EQ(message<IndexError>([&] {
              multi_margin_loss(ones({1, 3}), labels({-100}));
            }),
            "multi_margin_loss: the label of row 0 must be in [0, 3), got -100");
  EXPECT_EQ(message<ValueError>([&] {
              multi_margin_loss(ones({1, 3}), labels({0}), {.p = 3});
            }),
            "multi_margin_loss: p must be 1 or 2, got 3");
}

TEST(HingeEmbedding, IsTheDistanceOrWhatItFallsShort) {
  const Tensor x = tensor({0.25, 0.25, 3, -1}, k64).set_requires_grad(), t = labels({1, -1, -1, -1});
  Tape tape;
  const Tensor loss = hinge_embedding_loss(x, t, {.reduction = Reduce::none});
  expect_near(loss, {0.25, 0.75, 0, 2});
  expect_near(tape.gradient(sum(loss), {x})[0], {1, -1, 0, -1});
  expect_near(hinge_embedding_loss(x, t, {.margin = 4}), {(0.25 + 3.75 + 1 + 5) / 4});
  EXPECT_EQ(message<ValueError>([&] {
              hinge_embedding_loss(x, labels({1, 0, 1, 1}));
            }),
            "hinge_embedding_loss: the target must be 1 or -1, got 0 in row 1");
  EXPECT_EQ(message<ShapeError>([&] { hinge_embedding_loss(x, labels({1})); }),
            "hinge_embedding_loss: input and target must have one shape, got input [4] and target [1]");
}

TEST(TripletMargin, IsTheDifferenceOfTwoDistances) {
  const Tensor a = tensor({{0, 0}, {0, 0}}, k64), p = tensor({{3, 4}, {0, 1}}, k64), n = tensor({{6, 8}, {0, 9}}, k64);
  const auto loss = [&](TripletMarginOptions options) {
    options.eps = 0;
    options.reduction = Reduce::none;
    return triplet_margin_loss(a, p, n, options);
  };
  expect_near(loss({.margin = 6}), {1, 0});
  expect_near(loss({.margin = 1, .p = 1}), {0, 0});
  expect_near(loss({.margin = 9, .p = 1}), {2, 1});
  expect_near(loss({.margin = 6, .swap = true}), {6, 0});  // the negative is nearer to the positive: 5
  expect_near(triplet_margin_loss(a, p, n, {.margin = 6}), {0.5}, 1e-6);
  EXPECT_EQ(message<ValueError>([&] { triplet_margin_loss(a, p, n, {.margin = 0}); }),
            "triplet_margin_loss: margin must be positive, got 0");
}

TEST(TripletMargin, OfEqualVectorsHasAFiniteGradient) {
  const Tensor x = ones({1, 3}).set_requires_grad();
  Tape tape;
  const Tensor loss = triplet_margin_loss(x, x, x);
  EXPECT_NEAR(loss.item(), 1, 1e-6);
  EXPECT_TENSOR_NEAR(tape.gradient(loss, {x})[0], zeros({1, 3}), 0);
}

TEST(GaussianNll, IsTheLogarithmOfTheDensity) {
  const Tensor x = tensor({{1, 2}, {3, 4}}, k64), t = tensor({{1, 3}, {5, 4}}, k64), v = tensor({1, 4}, k64);
  const auto of = [](double d, double v) { return 0.5 * (std::log(v) + d * d / v); };
  const GaussianNllOptions none{.reduction = Reduce::none};
  expect_near(gaussian_nll_loss(x, t, v, none), {of(0, 1), of(1, 1), of(2, 4), of(0, 4)});
  expect_near(gaussian_nll_loss(x, t, v.unsqueeze(1), none), {of(0, 1), of(1, 1), of(2, 4), of(0, 4)});
  expect_near(gaussian_nll_loss(x, t, v.expand({2, 2}), none), {of(0, 1), of(1, 4), of(2, 1), of(0, 4)});
  const double constant = 0.5 * std::log(2 * std::numbers::pi);
  expect_near(gaussian_nll_loss(x, t, v, {.full = true}), {constant + (of(0, 1) + of(1, 1) + of(2, 4) + of(0, 4)) / 4});
}

TEST(GaussianNll, PushesAVarianceBelowTheLeastUpwards) {
  const Tensor v = tensor({0, 1e-9}, k64).set_requires_grad(), x = zeros({2}, k64);
  Tape tape;
  const Tensor loss = gaussian_nll_loss(x, x + 1, v, {.eps = 1e-2, .reduction = Reduce::none});
  expect_near(loss, {0.5 * (std::log(1e-2) + 100), 0.5 * (std::log(1e-2) + 100)});
  expect_near(tape.gradient(sum(loss), {v})[0], {0.5 * (100 - 1e4), 0.5 * (100 - 1e4)}, 1e-8);
}

TEST(GaussianNll, RejectsWhatIsNoVariance) {
  const Tensor x = ones({2, 3});
  EXPECT_EQ(message<ValueError>([&] { gaussian_nll_loss(x, x, -x); }), "gaussian_nll_loss: var must not be negative");
  EXPECT_EQ(message<ShapeError>([&] { gaussian_nll_loss(x, x, ones({3})); }),
            "gaussian_nll_loss: var must have the input's shape [2, 3], or one number a row, got [3]");
  EXPECT_EQ(message<ValueError>([&] { gaussian_nll_loss(x, x, x, {.eps = 0}); }),
            "gaussian_nll_loss: eps must be positive, got 0");
}

}  // namespace
}  // namespace tapegrad
