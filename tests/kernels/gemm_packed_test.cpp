#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "system/parallel.h"

namespace tapegrad::kernels {
namespace {

template <class T>
std::vector<T> uniform(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<T> distribution(-1, 1);
  std::vector<T> v(static_cast<size_t>(size));
  for (T& x : v) x = distribution(random);
  return v;
}

template <class T>
class GemmPacked : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(GemmPacked, Types);

TYPED_TEST(GemmPacked, EqualsThePlainLoop) {
  using T = TypeParam;
  for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 32, 37}) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1},
                               {10, 64},
                               {16, 7},
                               {17, 33},
                               {33, 20},
                               {64, 64},
                               {100, 300},
                               {128, 515},
                               {512, 128}}) {
      for (const bool trans_b : {false, true}) {
        for (const T beta : {T(0), T(1), T(-0.5)}) {
          const int64_t lda = k + 3, ldb = (trans_b ? k : n) + 2, ldc = n + 1;
          const std::vector<T> a = uniform<T>(m * lda, 1), b = uniform<T>((trans_b ? n : k) * ldb, 2);
          std::vector<T> before = uniform<T>(m * ldc, 3);
          if (beta == T(0)) std::fill(before.begin(), before.end(), std::numeric_limits<T>::quiet_NaN());
          std::vector<T> c = before;
          std::vector<T> memory(static_cast<size_t>(packed_size<T>(k, n)));
          gemm_packed(m, a.data(), lda, pack_b(trans_b, k, n, b.data(), ldb, memory.data()), beta, c.data(), ldc);
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              long double sum = 0, size = 1;
              for (int64_t p = 0; p < k; ++p) {
                const long double term = static_cast<long double>(a[static_cast<size_t>(i * lda + p)]) *
                                         b[static_cast<size_t>(trans_b ? j * ldb + p : p * ldb + j)];
                sum += term;
                size += std::fabs(term);
              }
              const size_t at = static_cast<size_t>(i * ldc + j);
              if (beta != T(0)) sum += static_cast<long double>(beta) * before[at];
              const long double bound =
                  size * std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(k) + 4);
              ASSERT_NEAR(c[at], sum, bound) << m << " x " << n << " x " << k << " at " << i << ", " << j;
            }
            const size_t beside = static_cast<size_t>(i * ldc + n);
            ASSERT_EQ(std::memcmp(&c[beside], &before[beside], sizeof(T)), 0);
          }
        }
      }
    }
  }
}

TYPED_TEST(GemmPacked, GivesTheSameBitsOnAnyNumberOfThreads) {
  using T = TypeParam;
  const int threads = get_num_threads();
  for (const auto& [m, n, k] :
       {std::tuple<int64_t, int64_t, int64_t>{32, 512, 128}, {7, 1000, 300}, {128, 2048, 512}}) {
    const std::vector<T> a = uniform<T>(m * k, 1), b = uniform<T>(k * n, 2);
    std::vector<T> memory(static_cast<size_t>(packed_size<T>(k, n)));
    const PackedB<T> packed = pack_b(false, k, n, b.data(), n, memory.data());
    std::vector<T> one(static_cast<size_t>(m * n)), many = one;
    set_num_threads(1);
    gemm_packed(m, a.data(), k, packed, T(0), one.data(), n);
    for (const int count : {2, 4}) {
      set_num_threads(count);
      gemm_packed(m, a.data(), k, packed, T(0), many.data(), n);
      EXPECT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof(T)), 0);
    }
  }
  set_num_threads(threads);
}

TYPED_TEST(GemmPacked, OnlyAppliesBetaWhereKIsZero) {
  TypeParam c[2] = {3, 4};
  gemm_packed<TypeParam>(1, nullptr, 0, {nullptr, 0, 2}, 2, c, 2);
  EXPECT_EQ(c[0], 6);
  EXPECT_EQ(c[1], 8);
}

}  // namespace
}  // namespace tapegrad::kernels
