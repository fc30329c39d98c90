#include "kernels/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

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
