// Losses against PyTorch's numbers, and what their documentation promises.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "support/golden.h"
#include "support/message.h"

namespace tapegrad {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class F>
void expect_loss(const std::string& name, F f) {
  const Golden g = golden("loss/" + name);
  expect_matches(g, {"input", "target"},
                 [&](const std::vector<Tensor>& in) { return std::vector{f(g, in[0], in[1])}; });
}

// ln softmax over axis 1 of a matrix, from the definition.
Tensor log_probabilities(const Tensor& x) { return x - log(sum(exp(x), 1, {.keepdim = true})); }

Tensor labels(const std::vector<int64_t>& values) { return from_vector(values, {int64_t(values.size())}); }

TEST(Loss, CrossEntropyMatchesPyTorch) {
  expect_loss("cross_entropy", [](const Golden&, auto x, auto t) { return cross_entropy(x, t); });
  expect_loss("cross_entropy_extreme", [](const Golden&, auto x, auto t) { return cross_entropy(x, t); });
  expect_loss("cross_entropy_ignore", [](const Golden& g, auto x, auto t) {
    return cross_entropy(x, t, {.ignore_index = g.integer("ignore_index")});
  });
  expect_loss("cross_entropy_smooth", [](const Golden& g, auto x, auto t) {
    return cross_entropy(x, t, {.label_smoothing = g.number("label_smoothing")});
  });
}

TEST(Loss, OthersMatchPyTorch) {
  expect_loss("nll", [](const Golden&, auto x, auto t) {
    return nll_loss(log_probabilities(x), t, {.reduction = Reduce::sum});
  });
  expect_loss("mse", [](const Golden&, auto x, auto t) { return mse_loss(x, t); });
  expect_loss("l1", [](const Golden&, auto x, auto t) { return l1_loss(x, t); });
  expect_loss("huber", [](const Golden& g, auto x, auto t) { return huber_loss(x, t, {.delta = g.number("delta")}); });
  expect_loss("smooth_l1",
              [](const Golden& g, auto x, auto t) { return smooth_l1_loss(x, t, {.beta = g.number("beta")}); });
  expect_loss("bce_with_logits", [](const Golden&, auto x, auto t) { return bce_with_logits_loss(x, t); });
  expect_loss("kl_div", [](const Golden&, auto x, auto t) {
    return kl_div(log_probabilities(x), t, {.reduction = Reduce::batchmean});
  });
}

TEST(CrossEntropy, OfZeroLogitsIsTheLogarithmOfTheClasses) {
  EXPECT_NEAR(cross_entropy(zeros({4, 10}), labels({0, 3, 9, 5})).item(), std::log(10.0), 1e-6);
}

TEST(CrossEntropy, FusedEqualsComposedForEveryReduction) {
  const Tensor x = randn({5, 4}, {.dtype = float64}).set_requires_grad();
  const Tensor t = labels({3, -100, 0, 2, 2});
  for (Reduce reduction : {Reduce::none, Reduce::mean, Reduce::sum, Reduce::batchmean}) {
    Tape tape;
    const Tensor fused = cross_entropy(x, t, {.reduction = reduction});
    const Tensor composed = nll_loss(log_probabilities(x), t, {.reduction = reduction});
    EXPECT_TENSOR_NEAR(fused, composed, 1e-13);
    const Tensor c = randn(fused.shape(), {.dtype = float64});
    const Tensor dx = tape.gradient(sum(fused * c), {x}, {.retain_graph = true})[0];
    EXPECT_TENSOR_NEAR(dx, tape.gradient(sum(composed * c), {x})[0], 1e-13);
  }
}

TEST(CrossEntropy, UnitWeightsAndNoSmoothingChangeNothing) {
  const Tensor x = randn({6, 3}, {.dtype = float64});
  const Tensor t = labels({0, 1, 2, -100, 1, 0});
  const Tensor plain = cross_entropy(x, t);
  EXPECT_TENSOR_NEAR(cross_entropy(x, t, {.weight = ones({3}, {.dtype = float64})}), plain, 1e-14);
  EXPECT_TENSOR_NEAR(cross_entropy(x, t, {.label_smoothing = 1e-300}), plain, 1e-14);
}

TEST(CrossEntropy, MeanOfWeightedRowsDividesByTheWeights) {
  const Tensor x = randn({3, 2}, {.dtype = float64});
  const Tensor w = tensor({0.25, 3}, {.dtype = float64});
  const std::vector<double> rows = cross_entropy(x, labels({0, 1, 1}), {.reduction = Reduce::none}).to_vector<double>();
  EXPECT_NEAR(cross_entropy(x, labels({0, 1, 1}), {.weight = w}).item(),
              (0.25 * rows[0] + 3 * rows[1] + 3 * rows[2]) / 6.25, 1e-14);
}

TEST(CrossEntropy, TakesPositionsAfterTheClasses) {
  const Tensor x = randn({2, 3, 4, 5}, {.dtype = float64});
  const Tensor t = randint(0, 3, {2, 4, 5});
  const Tensor rows = x.permute({0, 2, 3, 1}).reshape({40, 3});
  EXPECT_TENSOR_NEAR(cross_entropy(x, t), cross_entropy(rows, t.reshape({40})), 1e-14);
  EXPECT_EQ(cross_entropy(x, t, {.reduction = Reduce::none}).shape(), (Shape{2, 4, 5}));
}

// More rows than one chunk of work has.
TEST(CrossEntropy, ReadsTheLabelOfEveryRow) {
  const Tensor x = randn({20000, 3}, {.dtype = float64}).set_requires_grad();
  const Tensor t = randint(0, 3, {20000});
  Tape tape;
  const Tensor loss = cross_entropy(x, t, {.reduction = Reduce::none});
  const Tensor p = softmax(x.detach()), one = one_hot(t, 3, {.dtype = float64});
  EXPECT_TENSOR_NEAR(loss, -log(sum(p * one, 1)), 1e-12);
  const Tensor g = randn({20000}, {.dtype = float64});
  EXPECT_TENSOR_NEAR(tape.gradient(sum(loss * g), {x})[0], (p - one) * g.unsqueeze(1), 1e-12);
}

// p - 1 of a float32 p that rounds to 1 would be 0.
TEST(CrossEntropy, GradientOfACertainLabelKeepsItsDigits) {
  if (reference_mode()) GTEST_SKIP() << "the composed form rounds p to 1";
  const Tensor x = tensor({{20, 0}}).set_requires_grad();
  Tape tape;
  const std::vector<float> dx = tape.gradient(cross_entropy(x, labels({0})), {x})[0].to_vector<float>();
  EXPECT_NEAR(dx[0] / -std::exp(-20.0), 1, 1e-5);
  EXPECT_NEAR(dx[1] / std::exp(-20.0), 1, 1e-5);
}

TEST(CrossEntropy, OfIgnoredRowsOnlyIsZeroAndTeachesNothing) {
  const Tensor x = randn({3, 4}).set_requires_grad();
  for (double smoothing : {0.0, 0.1}) {
    Tape tape;
    const Tensor loss = cross_entropy(x, labels({-100, -100, -100}), {.label_smoothing = smoothing});
    EXPECT_EQ(loss.item(), 0);
    EXPECT_TENSOR_NEAR(tape.gradient(loss, {x})[0], zeros({3, 4}), 0);
  }
}

TEST(CrossEntropy, OfNoRowsIsZero) { EXPECT_EQ(cross_entropy(empty({0, 4}), empty({0}, {.dtype = int64})).item(), 0); }

TEST(CrossEntropy, AllowsImpossibleClasses) {
  Tensor x = tensor({{1, -kInfinity, 2}}, {.dtype = float64}).set_requires_grad();
  Tape tape;
  const Tensor loss = cross_entropy(x, labels({0}));
  EXPECT_NEAR(loss.item(), std::log1p(std::exp(1.0)), 1e-15);
  EXPECT_EQ(tape.gradient(loss, {x})[0].to_vector<double>()[1], 0);
}

TEST(CrossEntropy, GradientOfEachRowSumsToZero) {
  const Tensor x = (1e3 * randn({8, 7}, {.dtype = float64})).set_requires_grad();
  Tape tape;
  const Tensor dx = tape.gradient(cross_entropy(x, randint(0, 7, {8})), {x})[0];
  EXPECT_TENSOR_NEAR(sum(dx, 1), zeros({8}, {.dtype = float64}), 1e-15);
}

TEST(CrossEntropy, ChecksEveryLabel) {
  const Tensor x = randn({3, 4});
  EXPECT_EQ(message<IndexError>([&] {
              cross_entropy(x, labels({0, 4, 1}));
            }),
            "cross_entropy: the label of row 1 must be in [0, 4) or ignore_index -100, got 4");
  EXPECT_EQ(message<IndexError>([&] {
              nll_loss(x, labels({0, 1, -1}), {.ignore_index = 9});
            }),
            "nll_loss: the label of row 2 must be in [0, 4) or ignore_index 9, got -1");
  EXPECT_EQ(message<DtypeError>([&] { cross_entropy(x, zeros({3})); }),
            "cross_entropy: labels must be int64, got float32. Hint: convert them with target.to(int64)");
  EXPECT_EQ(message<ShapeError>([&] {
              cross_entropy(x, labels({0, 1}));
            }),
            "cross_entropy: the target for scores [3, 4] must be [3], one label each, got [2]");
  EXPECT_EQ(message<ShapeError>([&] {
              cross_entropy(randn({4}), labels({0, 1}));
            }),
            "cross_entropy: scores must be [N, C] or [N, C, ...], got [4]");
  EXPECT_EQ(message<ShapeError>([&] {
              cross_entropy(x, labels({0, 1, 2}), {.weight = ones({3})});
            }),
            "cross_entropy: weight must be one number a class, [4], got [3]");
  EXPECT_EQ(message<ValueError>([&] {
              cross_entropy(x, labels({0, 1, 2}), {.label_smoothing = 2});
            }),
            "cross_entropy: label_smoothing must be in [0, 1], got 2");
}

TEST(Loss, RejectsShapesThatWouldBroadcast) {
  EXPECT_EQ(message<ShapeError>([] {
              mse_loss(randn({8, 1}), randn({8}));
            }),
            "mse_loss: input and target must have one shape, got input [8, 1] and target [8]. Hint: reshape "
            "one of them to the other's");
  EXPECT_EQ(message<ShapeError>([] {
              l1_loss(randn({8, 2}), randn({8}));
            }),
            "l1_loss: input and target must have one shape, got input [8, 2] and target [8]");
}

TEST(Loss, RejectsOptionsOutsideTheirRange) {
  const Tensor x = rand({2, 2});
  EXPECT_EQ(message<ValueError>([&] { huber_loss(x, x, {.delta = 0}); }), "huber_loss: delta must be positive, got 0");
  EXPECT_EQ(message<ValueError>([&] { smooth_l1_loss(x, x, {.beta = -1}); }),
            "smooth_l1_loss: beta must be at least 0, got -1");
  EXPECT_EQ(message<ValueError>([&] { bce_loss(x + 2, x); }).substr(0, 39), "bce_loss: input must be in [0, 1], got ");
  EXPECT_EQ(message<ValueError>([&] {
              cosine_embedding_loss(x, x, labels({1, 0}));
            }),
            "cosine_embedding_loss: the target must be 1 or -1, got 0 in row 1");
  EXPECT_EQ(message<ShapeError>([&] { mse_loss(tensor(1), tensor(2), {.reduction = Reduce::batchmean}); }),
            "mse_loss: batchmean needs a first axis, got a scalar");
}

TEST(Loss, BceWithLogitsIsBceOfTheSigmoid) {
  const Tensor x = 3 * randn({4, 5}, {.dtype = float64}), t = rand({4, 5}, {.dtype = float64});
  EXPECT_TENSOR_NEAR(bce_with_logits_loss(x, t), bce_loss(1 / (1 + exp(-x)), t), 1e-13);
}

TEST(Loss, BceWithLogitsIsFiniteForEveryLogit) {
  const Tensor x = tensor({-1e30, -200, 0, 200, 1e30}).set_requires_grad();
  Tape tape;
  const Tensor loss = bce_with_logits_loss(x, tensor({0, 1, 0, 0, 1}), {.reduction = Reduce::none});
  EXPECT_TENSOR_NEAR(loss, tensor({0, 200, std::log(2.0), 200, 0}), 1e-6);
  EXPECT_TENSOR_NEAR(tape.gradient(sum(loss), {x})[0], tensor({0, -1, 0.5, 1, 0}), 1e-6);
}

TEST(Loss, BceOfCertaintyCostsAHundred) {
  EXPECT_EQ(bce_loss(tensor({0, 1}), tensor({1, 1}), {.reduction = Reduce::sum}).item(), 100);
}

TEST(Loss, BceOfCertaintyHasAFiniteGradient) {
  const Tensor p = tensor({0, 1, 0, 1}).set_requires_grad(), t = tensor({0, 1, 1, 0});
  Tape tape;
  const Tensor loss = bce_loss(p, t, {.reduction = Reduce::none});
  EXPECT_EQ(loss.to_vector<float>(), (std::vector<float>{0, 0, 100, 100}));
  const std::vector<float> dp = tape.gradient(sum(loss), {p})[0].to_vector<float>();
  EXPECT_EQ(dp[0], 0);
  EXPECT_EQ(dp[1], 0);
  EXPECT_FLOAT_EQ(dp[2], -1e12f);
  EXPECT_FLOAT_EQ(dp[3], 1e12f);
}

TEST(Loss, KlDivIsZeroForEqualDistributionsAndIgnoresZeros) {
  const Tensor p = tensor({{0.5, 0.5, 0}}, {.dtype = float64});
  const Tensor x = tensor({{std::log(0.5), std::log(0.5), -3}}, {.dtype = float64});
  EXPECT_NEAR(kl_div(x, p, {.reduction = Reduce::batchmean}).item(), 0, 1e-16);
  EXPECT_NEAR(kl_div(x, x, {.log_target = true}).item(), 0, 1e-16);
}

TEST(Loss, L1HasNoSlopeWhereItIsZero) {
  const Tensor x = tensor({1, 2, 3}).set_requires_grad();
  Tape tape;
  const Tensor dx = tape.gradient(l1_loss(x, tensor({1, 1, 5}), {.reduction = Reduce::sum}), {x})[0];
  EXPECT_TENSOR_NEAR(dx, tensor({0, 1, -1}), 0);
}

TEST(Loss, CosineSimilarityOfZeroIsZeroWithAFiniteGradient) {
  const Tensor a = zeros({1, 3}).set_requires_grad();
  Tape tape;
  const Tensor y = cosine_similarity(a, ones({1, 3}));
  EXPECT_EQ(y.item(), 0);
  EXPECT_THAT(tape.gradient(y, {a})[0], IsFinite());
  EXPECT_NEAR(cosine_similarity(1e25 * ones({1, 3}), ones({1, 3})).item(), 1, 1e-6);
}

TEST(Loss, CosineEmbeddingCountsBothSigns) {
  const Tensor a = tensor({{1, 0}, {1, 0}, {1, 0}}), b = tensor({{0, 1}, {1, 0}, {1, 0}});
  const Tensor loss = cosine_embedding_loss(a, b, labels({1, 1, -1}), {.margin = 0.25, .reduction = Reduce::none});
  EXPECT_TENSOR_NEAR(loss, tensor({1, 0, 0.75}), 1e-7);
}

TEST(Loss, ReductionsAgree) {
  const Tensor x = randn({3, 4}, {.dtype = float64}), t = randn({3, 4}, {.dtype = float64});
  const Tensor each = mse_loss(x, t, {.reduction = Reduce::none});
  EXPECT_EQ(each.shape(), x.shape());
  EXPECT_TENSOR_NEAR(mse_loss(x, t), mean(each), 1e-15);
  EXPECT_TENSOR_NEAR(mse_loss(x, t, {.reduction = Reduce::sum}), sum(each), 1e-15);
  EXPECT_TENSOR_NEAR(mse_loss(x, t, {.reduction = Reduce::batchmean}), sum(each) * (1.0 / 3), 1e-15);
}

}  // namespace
}  // namespace tapegrad
