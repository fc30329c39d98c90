// Products against a plain loop in long double: this also tests the OpenBLAS of the machine, some releases of
// which gave wrong numbers on some processors when called from several threads.
#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "system/parallel.h"

namespace tapegrad::kernels {
namespace {

template <class T>
constexpr T nan = std::numeric_limits<T>::quiet_NaN();

struct Case {
  int64_t m, n, k;
  bool trans_a, trans_b;
  double alpha, beta;
  int64_t pad;  // how much wider than the matrix a stored row is
};

template <class T>
struct Product {
  explicit Product(const Case& p, unsigned seed = 1) : p(p) {
    lda = (p.trans_a ? p.m : p.k) + p.pad;
    ldb = (p.trans_b ? p.k : p.n) + p.pad;
    ldc = p.n + p.pad;
    a.assign(static_cast<size_t>((p.trans_a ? p.k : p.m) * lda), nan<T>);
    b.assign(static_cast<size_t>((p.trans_b ? p.n : p.k) * ldb), nan<T>);
    c.assign(static_cast<size_t>(p.m * ldc), nan<T>);
    std::mt19937 random(seed);
    std::uniform_real_distribution<T> uniform(-1, 1);
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t q = 0; q < p.k; ++q) at_a(i, q) = uniform(random);
    }
    for (int64_t q = 0; q < p.k; ++q) {
      for (int64_t j = 0; j < p.n; ++j) at_b(q, j) = uniform(random);
    }
    if (p.beta != 0) {
      for (int64_t i = 0; i < p.m; ++i) {
        for (int64_t j = 0; j < p.n; ++j) at_c(c, i, j) = uniform(random);
      }
    }
    before = c;
  }

  T& at_a(int64_t i, int64_t q) { return a[static_cast<size_t>(p.trans_a ? q * lda + i : i * lda + q)]; }
  T& at_b(int64_t q, int64_t j) { return b[static_cast<size_t>(p.trans_b ? j * ldb + q : q * ldb + j)]; }
  T& at_c(std::vector<T>& where, int64_t i, int64_t j) { return where[static_cast<size_t>(i * ldc + j)]; }

  void run() {
    gemm<T>(p.trans_a, p.trans_b, p.m, p.n, p.k, static_cast<T>(p.alpha), a.data(), lda, b.data(), ldb,
            static_cast<T>(p.beta), c.data(), ldc);
  }

  // The number of entries that are further from the plain sum than rounding explains, padding included.
  int64_t wrong() {
    int64_t count = 0;
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        long double sum = 0, magnitude = 0;
        for (int64_t q = 0; q < p.k; ++q) {
          const long double term = static_cast<long double>(at_a(i, q)) * at_b(q, j);
          sum += term;
          magnitude += std::fabs(term);
        }
        const long double old = p.beta == 0 ? 0 : static_cast<T>(p.beta) * static_cast<long double>(at_c(before, i, j));
        const long double expected = static_cast<T>(p.alpha) * sum + old;
        const long double bound = (std::fabs(p.alpha) * magnitude + std::fabs(old)) *
                                  std::numeric_limits<T>::epsilon() * (2 + std::sqrt(static_cast<double>(p.k)));
        if (!(std::fabs(at_c(c, i, j) - expected) <= bound)) ++count;
      }
      for (int64_t j = p.n; j < ldc; ++j) count += !std::isnan(at_c(c, i, j));
    }
    return count;
  }

  Case p;
  int64_t lda, ldb, ldc;
  std::vector<T> a, b, c, before;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const double alpha_beta[][2] = {{1, 0}, {1, 1}, {0.5, 0}, {-2, 0.25}, {1, -1}};
  int count = 0;
  const auto add = [&](int64_t m, int64_t n, int64_t k) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        const auto& [alpha, beta] = alpha_beta[count % 5];
        all.push_back({m, n, k, trans_a, trans_b, alpha, beta, count % 3 == 0 ? 0 : count % 7});
        ++count;
      }
    }
  };
  for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17, 33}) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {10, 64}, {33, 31}, {64, 17}, {31, 65}}) add(m, n, k);
  }
  add(128, 96, 100);
  add(130, 257, 3);
  add(3, 5, 700);
  add(4, 1000, 784);
  add(32, 512, 128);
  add(70, 130, 1030);
  add(7, 300, 600);
  add(45, 27, 800);
  add(600, 150, 40);
  add(513, 40, 129);
  add(200, 300, 260);
  return all;
}

template <class T>
class Gemm : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Types);

TYPED_TEST(Gemm, EqualsThePlainLoop) {
  for (const Case& p : cases()) {
    Product<TypeParam> product(p);
    product.run();
    ASSERT_EQ(product.wrong(), 0) << p.m << " x " << p.n << " x " << p.k << " trans " << p.trans_a << p.trans_b
                                  << " alpha " << p.alpha << " beta " << p.beta << " pad " << p.pad;
  }
}

TYPED_TEST(Gemm, EqualsThePlainLoopFromSeveralThreadsAtOnce) {
  std::atomic<int64_t> wrong = 0;
  std::vector<std::thread> users;
  for (unsigned user = 0; user < 4; ++user) {
    users.emplace_back([&wrong, user] {
      for (int64_t round = 0; round < 40; ++round) {
        const Case p{1 + (round * 13) % 64,
                     8 + (round * 29) % 150,
                     5 + (round * 31) % 140,
                     (round & 1) != 0,
                     (round & 2) != 0,
                     1,
                     0,
                     0};
        Product<TypeParam> product(p, user * 100 + static_cast<unsigned>(round));
        product.run();
        wrong += product.wrong();
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(wrong, 0);
}

TYPED_TEST(Gemm, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int before = get_num_threads();
  std::vector<Case> all = cases();
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      all.push_back({128, 1000, 784, trans_a, trans_b, 1, 0, 0});
      all.push_back({1000, 300, 128, trans_a, trans_b, 1, 1, 0});
      all.push_back({4, 1000, 784, trans_a, trans_b, 1, 0, 0});
      all.push_back({850, 800, 801, trans_a, trans_b, 1, 0, 0});
    }
  }
  for (const Case& p : all) {
    Product<TypeParam> one(p), two(p), four(p);
    set_num_threads(1);
    one.run();
    set_num_threads(2);
    two.run();
    set_num_threads(4);
    four.run();
    const size_t bytes = one.c.size() * sizeof(TypeParam);
    EXPECT_EQ(std::memcmp(one.c.data(), two.c.data(), bytes), 0) << p.m << " x " << p.n << " x " << p.k;
    EXPECT_EQ(std::memcmp(one.c.data(), four.c.data(), bytes), 0) << p.m << " x " << p.n << " x " << p.k;
  }
  set_num_threads(before);
}

TYPED_TEST(Gemm, AppliesBetaAloneWhereKIsZero) {
  TypeParam c[4] = {1, 2, nan<TypeParam>, 4};
  gemm<TypeParam>(false, false, 1, 2, 0, 1, nullptr, 0, nullptr, 2, 2, c, 2);
  EXPECT_EQ(c[0], 2);
  EXPECT_EQ(c[1], 4);
  gemm<TypeParam>(false, true, 2, 2, 0, 1, nullptr, 0, nullptr, 0, 0, c, 2);
  for (const TypeParam v : c) EXPECT_EQ(v, 0);
}

TYPED_TEST(Gemm, TouchesNothingWhereMOrNIsZero) {
  const TypeParam x[4] = {1, 2, 3, 4};
  TypeParam c = 7;
  gemm<TypeParam>(false, false, 0, 1, 4, 1, nullptr, 4, x, 1, 0, &c, 1);
  gemm<TypeParam>(false, false, 1, 0, 4, 1, x, 4, nullptr, 0, 0, &c, 0);
  EXPECT_EQ(c, 7);
}

TYPED_TEST(Gemm, CarriesNanFromEitherFactor) {
  for (const auto& [m, n, k] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {4, 40, 33}, {9, 10, 64}, {32, 96, 64}}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        const Case p{m, n, k, trans_a, trans_b, 1, 0, 0};
        Product<TypeParam> product(p);
        for (TypeParam& v : product.b) v = 0;
        product.at_a(m - 1, k / 2) = nan<TypeParam>;
        product.run();
        for (int64_t j = 0; j < n; ++j) {
          EXPECT_TRUE(std::isnan(product.at_c(product.c, m - 1, j)));
          if (m > 1) {
            EXPECT_EQ(product.at_c(product.c, 0, j), 0);
          }
        }
        Product<TypeParam> other(p);
        for (TypeParam& v : other.a) v = 0;
        other.at_b(k - 1, n - 1) = nan<TypeParam>;
        other.run();
        for (int64_t i = 0; i < m; ++i) EXPECT_TRUE(std::isnan(other.at_c(other.c, i, n - 1)));
      }
    }
  }
}

TEST(GemmSize, FitsBlasUpToThirtyOneBits) {
  EXPECT_TRUE(fits_blas(0));
  EXPECT_TRUE(fits_blas(2147483647));
  EXPECT_FALSE(fits_blas(2147483648));
  EXPECT_FALSE(fits_blas(-1));
}

}  // namespace
}  // namespace tapegrad::kernels
