// Infinities, NaN, zeros and the ends of what a type holds, wherever they stand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "ops/expect.h"

namespace tapegrad {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::Pointwise;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A row, or a column beside others, of n numbers.
Tensor with_number_at(int64_t n, int64_t at, double value, double rest, Dtype dtype, bool column) {
  Tensor x = full({3, n}, rest, {.dtype = dtype});
  narrow(x[1], 0, at, 1).fill_(value);
  return column ? x.transpose(0, 1) : x;
}

struct Reduction {
  const char* name;
  std::function<Tensor(const Tensor& x, int64_t axis)> f;
  double of_infinity;  // beside ones
};

const Reduction kReductions[] = {
    {"sum", [](const Tensor& x, int64_t axis) { return sum(x, axis); }, kInf},
    {"mean", [](const Tensor& x, int64_t axis) { return mean(x, axis); }, kInf},
    {"prod", [](const Tensor& x, int64_t axis) { return prod(x, axis); }, kInf},
    {"norm", [](const Tensor& x, int64_t axis) { return norm(x, axis); }, kInf},
    {"norm 1", [](const Tensor& x, int64_t axis) { return norm(x, axis, {.p = 1}); }, kInf},
    {"norm inf", [](const Tensor& x, int64_t axis) { return norm(x, axis, {.p = kInf}); }, kInf},
    {"var", [](const Tensor& x, int64_t axis) { return var(x, axis); }, kNan},
    {"std", [](const Tensor& x, int64_t axis) { return tapegrad::std(x, axis); }, kNan},
    {"amax", [](const Tensor& x, int64_t axis) { return amax(x, axis); }, kInf},
    {"amin of minus x", [](const Tensor& x, int64_t axis) { return -amin(-x, axis); }, kInf},
    {"max", [](const Tensor& x, int64_t axis) { return max(x, axis).values; }, kInf},
    {"min of minus x", [](const Tensor& x, int64_t axis) { return -min(-x, axis).values; }, kInf},
    {"logsumexp", [](const Tensor& x, int64_t axis) { return logsumexp(x, axis); }, kInf},
    {"softmax", [](const Tensor& x, int64_t axis) { return sum(softmax(x, axis), axis); }, kNan},
    {"log_softmax", [](const Tensor& x, int64_t axis) { return sum(log_softmax(x, axis), axis); }, kNan},
    {"cumsum", [](const Tensor& x, int64_t axis) { return select(cumsum(x, axis), axis, -1); }, kInf},
    {"cumprod", [](const Tensor& x, int64_t axis) { return select(cumprod(x, axis), axis, -1); }, kInf},
    {"sort", [](const Tensor& x, int64_t axis) { return select(sort(x, axis).values, axis, -1); }, kInf},
};

bool is(double got, double want) { return std::isnan(want) ? std::isnan(got) : got == want; }

TEST(SpecialValues, ANanOrAnInfinityAtAnyPlaceComesOutOfAReductionAndStaysInItsLine) {
  for (const Dtype dtype : {float32, float64})
    for (const bool column : {false, true})
      for (const int64_t n : {2, 5, 16, 33, 40, 67})
        for (int64_t at = 0; at < n; ++at)
          for (const Reduction& reduction : kReductions) {
            const int64_t axis = column ? 0 : 1;
            const auto lines = [&](double value) {
              const Tensor x = with_number_at(n, at, value, 1, dtype, column);
              return reduction.f(x, axis).to(float64).to_vector<double>();
            };
            const auto nan = lines(kNan), infinite = lines(kInf), ordinary = lines(1);
            const auto place = fmt::format("{} of {} at {} of {}", reduction.name, to_string(dtype), at, n);
            ASSERT_TRUE(is(nan[1], kNan)) << place << ": " << nan[1];
            ASSERT_TRUE(is(infinite[1], reduction.of_infinity)) << place << ": " << infinite[1];
            for (const size_t line : {0, 2}) {
              ASSERT_EQ(nan[line], ordinary[line]) << place;
              ASSERT_EQ(infinite[line], ordinary[line]) << place;
            }
          }
}

TEST(SpecialValues, TheFirstNanIsTheLargestAndTheSmallest) {
  for (const bool column : {false, true})
    for (const int64_t n : {2, 33, 67, 300})
      for (const int64_t first : {int64_t(0), n / 2, n - 2}) {
        Tensor x = with_number_at(n, first, kNan, 1, float32, false);
        narrow(x[1], 0, n - 1, 1).fill_(kNan);
        if (first > 0) narrow(x[1], 0, 0, 1).fill_(kInf);
        if (column) x = x.transpose(0, 1);
        const int64_t axis = column ? 0 : 1;
        for (const Tensor& at : {max(x, axis).indices, min(x, axis).indices, argmax(x, axis), argmin(x, axis)})
          EXPECT_EQ(at.to_vector<int64_t>()[1], first) << n << (column ? ", column" : "");
        EXPECT_EQ(argmax(x[column ? n - 1 : 1]).item(), column ? 1 : first);
      }
}

TEST(SpecialValues, LogsumexpOfInfinityIsInfinityUnlessThereIsNan) {
  for (const Dtype dtype : {float32, float64})
    for (const int64_t n : {2, 17, 40})
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j) {
          if (i == j) continue;
          Tensor x = full({n}, -kInf, {.dtype = dtype});
          EXPECT_EQ(logsumexp(x).item(), -kInf);
          narrow(x, 0, i, 1).fill_(kInf);
          EXPECT_EQ(logsumexp(x).item(), kInf);
          narrow(x, 0, j, 1).fill_(kNan);
          EXPECT_TRUE(std::isnan(logsumexp(x).item())) << i << " " << j;
          narrow(x, 0, i, 1).fill_(-kInf);
          EXPECT_TRUE(std::isnan(logsumexp(x).item())) << i << " " << j;
        }
}

// The rule: numbers by size, NaN above all of them, equals and NaN among themselves by position.
std::vector<int64_t> order_of(const std::vector<double>& x, bool descending) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < x.size(); ++i) order.push_back(int64_t(i));
  const auto less = [](double a, double b) { return a < b || (!std::isnan(a) && std::isnan(b)); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    const double a = x[size_t(i)], b = x[size_t(j)];
    return descending ? less(b, a) : less(a, b);
  });
  return order;
}

TEST(SpecialValues, SortsAnyNumberOfNansZerosAndInfinitiesStably) {
  manual_seed(1);
  const double some[] = {kNan, kInf, -kInf, 0.0, -0.0, 1, -1, 5e-324, 1e300};
  for (const int64_t n : {1, 2, 3, 7, 16, 17, 40, 100})
    for (int round = 0; round < 20; ++round) {
      std::vector<double> numbers;
      for (const int64_t i : randint(0, round < 10 ? 9 : 3, {n}).to_vector<int64_t>()) numbers.push_back(some[i]);
      const Tensor x = from_vector(numbers, {n}), column = stack({x, -x}, 1);
      for (const bool descending : {false, true}) {
        const std::vector<int64_t> order = order_of(numbers, descending);
        ASSERT_EQ(argsort(x, 0, {.descending = descending}).to_vector<int64_t>(), order);
        ASSERT_EQ(select(sort(column, 0, {.descending = descending}).indices, 1, 0).to_vector<int64_t>(), order);
        for (const int64_t k : {int64_t(0), n / 2, n}) {
          const auto [values, indices] = topk(x, k, 0, {.largest = descending});
          ASSERT_EQ(indices.to_vector<int64_t>(), (std::vector<int64_t>(order.begin(), order.begin() + k)));
          for (int64_t i = 0; i < k; ++i)
            ASSERT_TRUE(is(values.to_vector<double>()[size_t(i)], numbers[size_t(order[size_t(i)])]));
        }
      }
    }
}

TEST(SpecialValues, IntegersHaveTheirEnds) {
  const int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
  const Tensor x = from_vector<int64_t>({low, high, low, 0, high}, {5});
  EXPECT_EQ(argmax(x).item(), 1);
  EXPECT_EQ(argmin(x).item(), 0);
  EXPECT_EQ(max(x).to_vector<int64_t>()[0], high);
  EXPECT_EQ(min(x).to_vector<int64_t>()[0], low);
  EXPECT_EQ(argsort(x).to_vector<int64_t>(), (std::vector<int64_t>{0, 2, 3, 1, 4}));
  EXPECT_EQ(argmax(from_vector<int64_t>({low, low}, {2})).item(), 0);
}

struct Power {
  double a, b, da, db;  // and the gradients
};

TEST(SpecialValues, PowersOfZeroAndOfNegativeNumbersHaveTheirLimits) {
  const Power powers[] = {{0, 0, 0, 0},
                          {0, 1, 1, 0},
                          {0, 2, 0, 0},
                          {0, 0.5, kInf, 0},
                          {0, -1, -kInf, -kInf},
                          {1, 0, 0, 0},
                          {2, 0, 0, std::log(2)},
                          {-2, 2, -4, kNan},
                          {-2, 0, 0, kNan},
                          {-2, 3, 12, kNan},
                          {4, 0.5, 0.25, 2 * std::log(4)}};
  for (const Dtype dtype : {float32, float64})
    for (const Power& p : powers) {
      const TensorOptions leaf{.dtype = dtype, .requires_grad = true};
      const Tensor a = tensor(p.a, leaf), b = tensor(p.b, leaf);
      Tape tape;
      const Tensor both = pow(a, b), number_above = pow(a, p.b), number_below = pow(p.a, b);
      const std::string what = fmt::format("{}^{}", p.a, p.b);
      for (const Tensor& y : {both, number_above, number_below})
        EXPECT_TRUE(is(y.item(), std::pow(p.a, p.b))) << what << ": " << y.item();
      const auto expect = [&](double got, double want, const char* which) {
        EXPECT_TRUE(is(got, want) || std::abs(got - want) < 1e-6 * std::abs(want))
            << which << " of " << what << ": " << got;
      };
      const std::vector<Tensor> d = tape.gradient(both, {a, b});
      expect(d[0].item(), p.da, "da");
      expect(d[1].item(), p.db, "db");
      expect(tape.gradient(number_above, {a})[0].item(), p.da, "da, a number above,");
      expect(tape.gradient(number_below, {b})[0].item(), p.db, "db, a number below,");
    }
}

// A certain label: p - 1 would be 0 where p rounds to 1.
TEST(SpecialValues, CrossEntropyOfACertainLabelKeepsItsDigits) {
  if (reference_mode()) GTEST_SKIP() << "the composed form rounds p to 1";
  for (const int64_t classes : {2, 33}) {
    Tensor x = zeros({3, classes});
    for (int64_t row = 0; row < 3; ++row) narrow(x[row], 0, 1, 1).fill_(20);
    x.set_requires_grad();
    Tape tape;
    const Tensor loss = cross_entropy(x, from_vector<int64_t>({1, 1, 1}, {3}), {.reduction = Reduce::sum});
    const double rest = double(classes - 1) * std::exp(-20.0);  // of the other classes together
    EXPECT_NEAR(loss.item() / (3 * rest), 1, 1e-5);
    const std::vector<float> dx = tape.gradient(loss, {x})[0].to_vector<float>();
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_NEAR(dx[size_t(row * classes + 1)] / -rest, 1, 1e-5);
      EXPECT_NEAR(dx[size_t(row * classes)] / std::exp(-20.0), 1, 1e-5);
    }
  }
}

// The second derivative of f at x, summed over all.
double curvature(const std::function<Tensor(const Tensor&)>& f, const Tensor& at) {
  const Tensor x = at.to(float64).set_requires_grad();
  Tape tape;
  const Tensor slope = tape.gradient(sum(f(x)), {x}, {.create_graph = true})[0];
  return sum(tape.gradient(sum(slope * slope + slope), {x})[0]).item();
}

// A branch that is not taken may overflow, and its infinity times 0 would be NaN.
TEST(SpecialValues, SecondDerivativesAreFiniteWhereABranchThatIsNotTakenOverflows) {
  const auto zero = tensor({0, 0}, {.dtype = float64});
  EXPECT_EQ(curvature([](const Tensor& x) { return elu(x); }, tensor({800, 3})), 0);
  EXPECT_EQ(curvature([](const Tensor& x) { return elu(x, 0); }, tensor({800, -3})), 0);
  EXPECT_NEAR(curvature([](const Tensor& x) { return softplus(x); }, tensor({800, -800})), 0, 1e-300);
  EXPECT_EQ(curvature([](const Tensor& x) { return pow(zeros_like(x), x); }, tensor({2, 3})), 0);
  EXPECT_EQ(curvature([](const Tensor& x) { return pow(0, x); }, tensor({2, 3})), 0);
  EXPECT_TRUE(std::isfinite(curvature([](const Tensor& x) { return pow(x, full_like(x, 2)); }, zero)));
  EXPECT_TRUE(std::isfinite(curvature([](const Tensor& x) { return norm(x); }, zero)));
  EXPECT_TRUE(std::isfinite(curvature([](const Tensor& x) { return tapegrad::std(x); }, zero)));
  EXPECT_TRUE(
      std::isfinite(curvature([](const Tensor& x) { return cosine_similarity(x, x + 1.0, {.axis = 0}); }, zero)));
  EXPECT_TRUE(std::isfinite(curvature([](const Tensor& x) { return kl_div(log_softmax(x), zeros_like(x)); }, zero)));
  EXPECT_TRUE(std::isfinite(curvature([](const Tensor& x) { return prod(x); }, zero)));
  EXPECT_TRUE(std::isfinite(curvature(
      [](const Tensor& x) {
        return cross_entropy(where(lt(x, -500.0), -kInf, x).unsqueeze(0), from_vector<int64_t>({1}, {1}));
      },
      tensor({-900, 1, 2}))));
}

// What is not chosen may be anything, and its gradient is 0.
TEST(SpecialValues, WhatIsNotChosenDoesNoHarm) {
  for (const double bad : {kNan, kInf, -kInf}) {
    const Tensor a = tensor({bad, 2}, {.dtype = float64, .requires_grad = true}),
                 b = tensor({3, bad}, {.dtype = float64, .requires_grad = true});
    const Tensor mask = from_vector<bool>({false, true}, {2});
    Tape tape;
    const Tensor y =
        where(mask, a, b) + masked_fill(a, logical_not(mask), 1.0) + tril(a.unsqueeze(1).expand({2, 2}), -1)[1];
    EXPECT_EQ(where(mask, a, b).to_vector<double>(), (std::vector<double>{3, 2}));
    const std::vector<Tensor> d = tape.gradient(sum(y * y), {a, b});
    EXPECT_EQ(d[0].to_vector<double>()[0], 0);
    EXPECT_EQ(d[1].to_vector<double>()[1], 0);
  }
}

}  // namespace
}  // namespace tapegrad
