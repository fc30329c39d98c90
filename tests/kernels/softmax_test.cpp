// The oracle is the definition in long double, on the same inputs.
#include "kernels/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace tapegrad::kernels {
namespace {

using Real = long double;

template <class T>
std::vector<T> noise(int64_t n, unsigned seed, double scale = 3) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-scale, scale);
  std::vector<T> v(n);
  for (T& e : v) e = static_cast<T>(uniform(engine));
  return v;
}

template <class T>
Real lse_of(const T* x, int64_t d) {
  Real m = x[0], sum = 0;
  for (int64_t j = 0; j < d; ++j) m = std::max(m, Real{x[j]});
  for (int64_t j = 0; j < d; ++j) sum += std::exp(x[j] - m);
  return m + std::log(sum);
}

template <class T>
class Softmax : public testing::Test {
 protected:
  static constexpr double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Softmax, Types);

TYPED_TEST(Softmax, MatchesItsDefinitionForwardAndBackward) {
  using T = TypeParam;
  for (int64_t d : {1, 3, 15, 16, 17, 67, 600}) {
    for (int64_t rows : {0, 1, 3}) {
      const std::vector<T> x = noise<T>(rows * d, 1), dy = noise<T>(rows * d, 2);
      std::vector<T> y(rows * d), dx(rows * d), log_y(rows * d), log_dx(rows * d), dz(rows * d);
      std::vector<double> lse(rows), loss(rows), same(rows);
      std::vector<int64_t> target(rows);
      for (int64_t i = 0; i < rows; ++i) target[i] = i == 1 ? -100 : (7 * i + 5) % d;
      softmax(rows, d, x.data(), y.data());
      softmax_backward(rows, d, dy.data(), y.data(), dx.data());
      log_softmax(rows, d, x.data(), log_y.data());
      log_softmax_backward(rows, d, dy.data(), log_y.data(), log_dx.data());
      logsumexp(rows, d, x.data(), lse.data());
      cross_entropy(rows, d, x.data(), target.data(), -100, loss.data(), same.data());
      cross_entropy_backward(rows, d, x.data(), target.data(), -100, same.data(), 0.25, dz.data());
      for (int64_t i = 0; i < rows; ++i) {
        const Real exact = lse_of(&x[i * d], d);
        Real mean = 0, sum = 0;
        for (int64_t j = i * d; j < (i + 1) * d; ++j) mean += dy[j] * std::exp(x[j] - exact), sum += dy[j];
        ASSERT_NEAR(lse[i], exact, this->tolerance);
        ASSERT_NEAR(same[i], exact - *std::max_element(&x[i * d], &x[i * d] + d), this->tolerance);
        ASSERT_NEAR(loss[i], i == 1 ? 0 : exact - x[i * d + target[i]], this->tolerance);
        for (int64_t j = 0; j < d; ++j) {
          const int64_t at = i * d + j;
          const Real p = std::exp(x[at] - exact);
          ASSERT_NEAR(y[at], p, this->tolerance);
          ASSERT_NEAR(log_y[at], x[at] - exact, this->tolerance);
          ASSERT_NEAR(dx[at], p * (dy[at] - mean), 4 * this->tolerance);
          ASSERT_NEAR(log_dx[at], dy[at] - p * sum, 4 * this->tolerance * (1 + std::fabs(sum)));
          ASSERT_NEAR(dz[at], i == 1 ? 0 : (p - (j == target[i])) / 4, this->tolerance);
        }
      }
    }
  }
}

TYPED_TEST(Softmax, IsStableForAnyFiniteRow) {
  using T = TypeParam;
  const T largest = std::numeric_limits<T>::max();
  const std::vector<std::vector<T>> rows{
      {T(1e6), T(1e6) + 1, T(1e6) - 2}, {largest, -largest, 0}, {-largest, -largest, -largest}, {T(-1e30), 5, 6}};
  for (const auto& x : rows) {
    std::vector<T> y(3), log_y(3), dx(3);
    double loss, log_sum;
    const int64_t target = 1;
    softmax(1, 3, x.data(), y.data());
    log_softmax(1, 3, x.data(), log_y.data());
    cross_entropy(1, 3, x.data(), &target, -1, &loss, &log_sum);
    cross_entropy_backward(1, 3, x.data(), &target, -1, &log_sum, 1.0, dx.data());
    const Real m = *std::max_element(x.begin(), x.end());
    Real sum = 0;
    for (T v : x) sum += std::exp(v - m);
    for (int j = 0; j < 3; ++j) {
      const Real log_p = (x[j] - m) - std::log(sum);  // not x - (m + ln sum): the logarithm would be lost
      EXPECT_NEAR(y[j], std::exp(log_p), this->tolerance);
      EXPECT_NEAR(dx[j], std::exp(log_p) - (j == target), this->tolerance);
      if (log_p > -std::numeric_limits<T>::max()) {
        EXPECT_NEAR(log_y[j], log_p, this->tolerance * std::fabs(log_p));
      }
      if (j == target && log_p > -std::numeric_limits<double>::max()) {
        EXPECT_NEAR(loss, -log_p, 1e-6 * -log_p);
      }
    }
  }
}

TYPED_TEST(Softmax, GivesMaskedElementsProbabilityZero) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> x{0, -inf, 0, -inf};
  std::vector<T> y(4);
  softmax(1, 4, x.data(), y.data());
  EXPECT_EQ(y, (std::vector<T>{T(0.5), 0, T(0.5), 0}));
  const std::vector<T> none(4, -inf), bad{1, nan, 2, 3};
  softmax(1, 4, none.data(), y.data());
  for (T v : y) EXPECT_TRUE(std::isnan(v));
  softmax(1, 4, bad.data(), y.data());
  for (T v : y) EXPECT_TRUE(std::isnan(v));
  double lse[3];
  logsumexp(1, 4, none.data(), &lse[0]);
  logsumexp(1, 4, bad.data(), &lse[1]);
  EXPECT_EQ(lse[0], -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(lse[1]));
}

TYPED_TEST(Softmax, MayWriteOverItsInput) {
  using T = TypeParam;
  const std::vector<T> x = noise<T>(3 * 67, 1);
  std::vector<T> y(x.size()), z = x;
  softmax(3, 67, x.data(), y.data());
  softmax(3, 67, z.data(), z.data());
  EXPECT_EQ(y, z);
}

}  // namespace
}  // namespace tapegrad::kernels
