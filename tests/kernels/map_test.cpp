#include "kernels/loops/rows.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

namespace tapegrad::kernels {
namespace {

constexpr std::array<int64_t, 8> sizes{0, 1, 3, 15, 16, 17, 67, 1000};

template <class T>
std::vector<T> ramp(int64_t n, T first, T step) {
  std::vector<T> v(n);
  for (int64_t i = 0; i < n; ++i) v[i] = first + step * static_cast<T>(i);
  return v;
}

template <class T>
class Map : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Map, Types);

TYPED_TEST(Map, AppliesTheFunctionToEveryElement) {
  using T = TypeParam;
  for (int64_t n : sizes) {
    const std::vector<T> x = ramp<T>(n, -3, T(0.5));
    std::vector<T> y(n + 1, T(99));
    map(n, x.data(), y.data(), [](T v) { return v * v + 1; });
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], x[i] * x[i] + 1) << n;
    EXPECT_EQ(y[n], T(99)) << "wrote past the end";
  }
}

TYPED_TEST(Map, MayWriteOverItsInput) {
  using T = TypeParam;
  for (int64_t n : sizes) {
    std::vector<T> x = ramp<T>(n, 1, 1);
    map2_rows(1, n, x.data(), false, x.data(), false, nullptr, x.data(), [](T a, T b) { return a + 2 * b; });
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(x[i], 3 * T(i + 1)) << n;
  }
}

TYPED_TEST(Map, ReadsTwoInputsEachASpanOrOneValue) {
  using T = TypeParam;
  for (int64_t n : sizes) {
    const std::vector<T> a = ramp<T>(n + 1, 1, 1), b = ramp<T>(n + 1, 100, 2);
    for (const auto& [one_a, one_b] : {std::pair{false, false}, {false, true}, {true, false}}) {
      std::vector<T> y(n);
      map2_rows(1, n, a.data(), one_a, b.data(), one_b, nullptr, y.data(), [](T p, T q) { return p - q; });
      for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], a[one_a ? 0 : i] - b[one_b ? 0 : i]) << n;
    }
  }
}

TYPED_TEST(Map, ComparesIntoBool) {
  using T = TypeParam;
  for (int64_t n : sizes) {
    const std::vector<T> a = ramp<T>(n, 0, 1), b = ramp<T>(n, 8, T(0.5));
    std::array<bool, 1000> y{};
    map2_rows(1, n, a.data(), false, b.data(), false, nullptr, y.data(), [](T p, T q) { return p < q; });
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], a[i] < b[i]) << n;
  }
}

TYPED_TEST(Map, ReadsThreeInputsWithAnyStrides) {
  using T = TypeParam;
  const auto choose = [](bool condition, T p, T q) { return condition ? p : q; };
  for (int64_t n : sizes) {
    std::array<bool, 3001> condition{};
    for (int64_t i = 0; i < 3001; ++i) condition[i] = i % 3 == 1;
    const std::vector<T> a = ramp<T>(3 * n + 1, 1, 1), b = ramp<T>(3 * n + 1, -1, -1);
    for (int64_t sc : {0, 1, 2}) {
      for (int64_t sa : {0, 1, 3}) {
        for (int64_t sb : {0, 1}) {
          std::vector<T> y(n);
          map3(n, condition.data(), sc, a.data(), sa, b.data(), sb, y.data(), choose);
          for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], choose(condition[i * sc], a[i * sa], b[i * sb])) << n;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tapegrad::kernels
