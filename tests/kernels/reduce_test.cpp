#include "kernels/loops/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "compute/arrays.h"

namespace tapegrad::kernels {
namespace {

template <class T>
class Reduce : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Reduce, Types);

TYPED_TEST(Reduce, MatchesPlainLoopsOverAnyShape) {
  using T = TypeParam;
  for (int64_t outer : {0, 1, 3}) {
    for (int64_t n : {1, 3, 15, 16, 17, 67}) {
      for (int64_t inner : {1, 2, 67, 130}) {
        std::vector<T> x(outer * n * inner), total(outer * inner), high(total), low(total);
        for (size_t e = 0; e < x.size(); ++e) x[e] = static_cast<T>((e * 7919) % 101) - 50;
        std::vector<int64_t> argmax(total.size()), argmin(total.size());
        sum(outer, n, inner, x.data(), total.data());
        max(outer, n, inner, x.data(), high.data(), argmax.data());
        min(outer, n, inner, x.data(), low.data(), argmin.data());
        double squares = 0;
        for (T v : x) squares += double{v} * v;
        ASSERT_EQ(sum_of_squares(outer * n * inner, x.data()), squares);
        for (int64_t o = 0; o < outer; ++o) {
          for (int64_t i = 0; i < inner; ++i) {
            const auto at = [&](int64_t j) { return x[(o * n + j) * inner + i]; };
            T s = 0;
            int64_t top = 0, bottom = 0;
            for (int64_t j = 0; j < n; ++j) {
              s += at(j);
              if (at(j) > at(top)) top = j;
              if (at(j) < at(bottom)) bottom = j;
            }
            const int64_t to = o * inner + i;
            ASSERT_EQ(total[to], s);
            ASSERT_TRUE(high[to] == at(top) && argmax[to] == top);
            ASSERT_TRUE(low[to] == at(bottom) && argmin[to] == bottom);
          }
        }
      }
    }
  }
}

TYPED_TEST(Reduce, SumsColumnsBeyondAStripInTheOrderOfRows) {
  using T = TypeParam;
  const int64_t n = 6, inner = 2500;
  std::vector<T> x(n * inner), y(inner);
  for (int64_t e = 0; e < n * inner; ++e) x[e] = T((e * 7919) % 1009) / T(7);
  sum(1, n, inner, x.data(), y.data());
  for (int64_t i = 0; i < inner; ++i) {
    double s = 0;
    for (int64_t j = 0; j < n; ++j) s += double{x[j * inner + i]};
    ASSERT_EQ(y[i], T(s));
  }
}

TYPED_TEST(Reduce, FindsTheFirstNanAndTheFirstOfEqualsWhereverTheyStand) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  for (int64_t n : {1, 33, 70}) {
    for (int64_t inner : {1, 3, 260}) {
      for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
        for (T special : {nan, inf}) {
          std::vector<T> x(n * inner, T(1)), y(inner);
          std::vector<int64_t> index(inner);
          for (int64_t j = at; j < n; ++j) x[j * inner + inner - 1] = special;  // the first of several
          max(1, n, inner, x.data(), y.data(), index.data());
          ASSERT_EQ(index[inner - 1], at);
          ASSERT_TRUE(special != special ? y[inner - 1] != y[inner - 1] : y[inner - 1] == special);
          if (inner > 1) {
            ASSERT_TRUE(index[0] == 0 && y[0] == T(1));
          }
          max(1, n, inner, x.data(), y.data(), static_cast<int64_t*>(nullptr));
          ASSERT_TRUE(special != special ? y[inner - 1] != y[inner - 1] : y[inner - 1] == special);
        }
      }
    }
  }
}

TYPED_TEST(Reduce, SeesOneNanOrInfinityAmongLargestFiniteNumbers) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  const auto all_finite = [](const std::vector<T>& x) {
    return compute::all_finite(from_vector(x, {int64_t(x.size())}));
  };
  EXPECT_TRUE(all_finite({}));
  for (int64_t n : {1, 15, 4096, 65536, 65537, 140000}) {
    std::vector<T> x(n, -std::numeric_limits<T>::max());
    x[n / 2] = std::numeric_limits<T>::denorm_min();
    EXPECT_TRUE(all_finite(x));
    for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
      for (T bad : {nan, inf, -inf}) {
        const T kept = x[at];
        x[at] = bad;
        EXPECT_FALSE(all_finite(x)) << n << " " << at;
        x[at] = kept;
      }
    }
  }
}

TYPED_TEST(Reduce, PassesNanThroughMaxAndMin) {
  using T = TypeParam;
  const std::vector<T> x{1, static_cast<T>(std::nan("")), 5, 0};
  T y;
  int64_t index;
  max<T>(1, 4, 1, x.data(), &y, &index);
  EXPECT_TRUE(std::isnan(y) && index == 1);
  min<T>(1, 4, 1, x.data(), &y, nullptr);
  EXPECT_TRUE(std::isnan(y));
}

}  // namespace
}  // namespace tapegrad::kernels
