// Samples by probabilities that are tensors, and the distribution of a policy: against frequencies and formulas.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64 = {.dtype = float64};

Tensor frequencies(const Tensor& samples, int64_t k) {
  return bincount(samples.flatten(), {.minlength = k}).to(float64) / double(samples.numel());
}

TEST(BernoulliOfATensor, IsOneAsOftenAsItsProbabilities) {
  manual_seed(1);
  const Tensor p = tensor({0, 0.2, 0.7, 1}, k64);
  const Tensor y = bernoulli(p.expand({40000, 4}));
  EXPECT_EQ(y.dtype(), float64);
  EXPECT_TENSOR_NEAR(y * y, y, 0);
  EXPECT_TENSOR_NEAR(mean(y, 0), p, 0.01);
  EXPECT_EQ(mean(y, 0)[0].item(), 0);
  EXPECT_EQ(mean(y, 0)[3].item(), 1);
  EXPECT_EQ(message<ValueError>([] {
              bernoulli(tensor({{0.5, 1.5}}));
            }),
            "bernoulli: p must be in [0, 1], got 1.5 at [0, 1]");
  EXPECT_EQ(message<ValueError>([] { bernoulli(tensor({NAN})); }), "bernoulli: p must be in [0, 1], got nan at [0]");
  EXPECT_THROW(bernoulli(arange(2)), DtypeError);
}

TEST(Multinomial, DrawsAsOftenAsTheWeightsSay) {
  manual_seed(2);
  const Tensor w = tensor({{1, 0, 3, 4}, {0, 5, 0, 0}});
  const Tensor y = multinomial(w, 40000, {.replacement = true});
  EXPECT_THAT(y, HasShape({2, 40000}));
  EXPECT_TENSOR_NEAR(frequencies(y[0], 4), tensor({0.125, 0, 0.375, 0.5}, k64), 0.01);
  EXPECT_TENSOR_NEAR(frequencies(y[1], 4), tensor({0, 1, 0, 0}, k64), 0);
  EXPECT_THAT(multinomial(w[0], 3), HasShape({3}));
  EXPECT_THAT(multinomial(zeros({0, 3}), 2), HasShape({0, 2}));
}

TEST(Multinomial, WithoutReplacementDrawsEachOnce) {
  manual_seed(3);
  const Tensor w = tensor({1, 2, 3}, k64);
  const Tensor y = multinomial(w.expand({40000, 3}), 2);
  // First i with w_i / 6, then j with w_j / (6 - w_i).
  EXPECT_TENSOR_NEAR(frequencies(select(y, 1, 0), 3), w / 6, 0.01);
  const auto pairs = y.to_vector<int64_t>();
  double both = 0;
  for (size_t row = 0; row < 40000; ++row) {
    EXPECT_NE(pairs[2 * row], pairs[2 * row + 1]);
    both += pairs[2 * row] == 2 && pairs[2 * row + 1] == 0;
  }
  EXPECT_NEAR(both / 40000, 3.0 / 6 * 1 / 3, 0.01);
  EXPECT_TENSOR_NEAR(sort(multinomial(tensor({1e-30, 0, 1e30, 5}), 3), 0).values, tensor({0, 2, 3}, {.dtype = int64}),
                     0);
}

TEST(Multinomial, IsAFunctionOfTheGenerator) {
  const Tensor w = rand({5, 7}) + 0.1;
  for (bool replacement : {false, true}) {
    Generator first(9, 2), again(9, 2), other(9, 3);
    const MultinomialOptions options{.replacement = replacement};
    const uint64_t before = default_generator().position;
    const auto y = multinomial(w, 4, options, &first).to_vector<int64_t>();
    EXPECT_EQ(multinomial(w, 4, options, &again).to_vector<int64_t>(), y);
    EXPECT_NE(multinomial(w, 4, options, &other).to_vector<int64_t>(), y);
    EXPECT_EQ(default_generator().position, before);
    manual_seed(9, 2);
    EXPECT_EQ(multinomial(w, 4, options).to_vector<int64_t>(), y);
  }
  manual_seed(0);
}

TEST(Multinomial, SaysWhatItCannotDraw) {
  EXPECT_EQ(message<ValueError>([] {
              multinomial(tensor({{1, 2}, {1, -0.5}}), 1);
            }),
            "multinomial: weights must be finite and not negative, got -0.5 at [1, 1]");
  EXPECT_EQ(message<ValueError>([] {
              multinomial(tensor({1, INFINITY}), 1);
            }),
            "multinomial: weights must be finite and not negative, got inf at [1]");
  EXPECT_EQ(message<ValueError>([] {
              multinomial(tensor({{1, 2}, {0, 0}}), 1, {.replacement = true});
            }),
            "multinomial: row 1 must have at least 1 positive weights, got 0");
  EXPECT_EQ(message<ValueError>([] {
              multinomial(tensor({1, 0, 2}), 3);
            }),
            "multinomial: row 0 must have at least 3 positive weights, got 2. Hint: {.replacement = true} "
            "draws one again");
  EXPECT_EQ(message<ShapeError>([] { multinomial(tensor(1.0), 1); }),
            "multinomial: weights must be [K] or [N, K], K at least 1, got []");
  EXPECT_EQ(message<ValueError>([] { multinomial(ones({2}), 0); }),
            "multinomial: num_samples must be at least 1, got 0");
  EXPECT_THROW(multinomial(arange(3), 1), DtypeError);
}

TEST(Categorical, KnowsItsProbabilitiesFromEither) {
  const Tensor p = tensor({{0.2, 0.8}, {0.5, 0.5}}, k64);
  const Tensor value = from_vector(std::vector<int>{1, 0}, {2});
  for (const Categorical& policy : {Categorical({.probs = p * 3}), Categorical({.logits = log(p) + 7})}) {
    EXPECT_TENSOR_NEAR(policy.probs, p, 1e-15);
    EXPECT_TENSOR_NEAR(policy.log_prob(value), tensor({std::log(0.8), std::log(0.5)}, k64), 1e-15);
    EXPECT_TENSOR_NEAR(policy.entropy(), tensor({-0.2 * std::log(0.2) - 0.8 * std::log(0.8), std::log(2.0)}, k64),
                       1e-15);
  }
  manual_seed(4);
  const Categorical many({.logits = log(p).unsqueeze(1).expand({2, 20000, 2})});
  const Tensor y = many.sample();
  EXPECT_THAT(y, HasShape({2, 20000}));
  EXPECT_TENSOR_NEAR(mean(y.to(float64), 1), tensor({0.8, 0.5}, k64), 0.01);
  EXPECT_THAT(Categorical({.logits = zeros({3})}).sample(), HasShape({}));
  EXPECT_THAT(Categorical({.logits = zeros({0, 3})}).sample(), HasShape({0}));
}

TEST(Categorical, HasTheGradientsOfItsFormulas) {
  const Tensor value = from_vector(std::vector<int>{1, 0, 2}, {3});
  for (bool from_probs : {false, true})
    EXPECT_GRADIENTS(
        [=](const Tensor& a) {
          const Categorical policy(from_probs ? CategoricalOptions{.probs = exp(a)} : CategoricalOptions{.logits = a});
          return policy.log_prob(value) + policy.entropy() * 0.5;
        },
        gaussian({3, 4}));
}

TEST(Categorical, StaysFiniteBesideAnImpossibleIndex) {
  const Tensor p = tensor({0.25, 0, 0.75}, {.requires_grad = true});
  const Tensor z = tensor({0, -INFINITY, 1}, {.requires_grad = true});
  for (const Tensor& x : {p, z}) {
    Tape tape;
    const Categorical policy(x.impl() == p.impl() ? CategoricalOptions{.probs = x} : CategoricalOptions{.logits = x});
    const Tensor loss = policy.entropy() + policy.log_prob(tensor(2, {.dtype = int64}));
    EXPECT_TRUE(std::isfinite(loss.item()));
    EXPECT_TRUE(all(isfinite(tape.gradient(loss, {x})[0])).item<bool>());
    EXPECT_EQ(policy.log_prob(tensor(1, {.dtype = int64})).item(), -INFINITY);
    for (int i = 0; i < 100; ++i) EXPECT_NE(policy.sample().item<int64_t>(), 1);
  }
}

TEST(Categorical, SaysWhatIsNoDistribution) {
  EXPECT_EQ(message<ValueError>([] { Categorical({}); }), "Categorical: takes either probs or logits, got none");
  EXPECT_EQ(message<ValueError>([] { Categorical({.probs = ones({2}), .logits = ones({2})}); }),
            "Categorical: takes either probs or logits, got both");
  for (const Tensor& p : {tensor({1, -1}), tensor({0, 0}), tensor({1, NAN})})
    EXPECT_EQ(message<ValueError>([&] { Categorical({.probs = p}); }),
              "Categorical: probs must be finite, not negative, and not all 0 in a row. Hint: {.logits = x} "
              "takes any");
  EXPECT_THROW(Categorical({.logits = tensor(1.0)}), ShapeError);
  EXPECT_THROW(Categorical({.logits = arange(2)}), DtypeError);
}

}  // namespace
}  // namespace tapegrad
