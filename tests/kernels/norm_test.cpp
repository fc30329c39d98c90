// The oracle is the definition in long double, on the same inputs.
#include "kernels/norm/norm.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

namespace tapegrad::kernels {
namespace {

using Real = long double;

template <class T>
std::vector<T> noise(int64_t n, unsigned seed, double mean = 0, double sd = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1.7320508, 1.7320508);
  std::vector<T> v(n);
  for (T& e : v) e = static_cast<T>(mean + sd * uniform(engine));
  return v;
}

/// (x - mu) rstd of one row.
template <class T>
std::vector<Real> xhat_of(const T* x, int64_t d, double eps, bool centred, Real* rstd = nullptr) {
  Real mu = 0, variance = 0;
  for (int64_t j = 0; j < d && centred; ++j) mu += Real{x[j]} / d;
  for (int64_t j = 0; j < d; ++j) variance += (x[j] - mu) * (x[j] - mu) / d;
  const Real r = 1 / std::sqrt(variance + eps);
  if (rstd) *rstd = r;
  std::vector<Real> xhat(d);
  for (int64_t j = 0; j < d; ++j) xhat[j] = (x[j] - mu) * r;
  return xhat;
}

template <class T>
class Norm : public testing::Test {
 protected:
  static constexpr double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-13;
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Norm, Types);

TYPED_TEST(Norm, MatchesItsDefinitionForwardAndBackward) {
  using T = TypeParam;
  const double eps = 1e-5;
  for (bool centred : {true, false}) {
    for (bool affine : {true, false}) {
      for (int64_t d : {1, 3, 15, 16, 17, 32, 67, 200}) {
        for (int64_t rows : {0, 1, 3, 5, 8}) {
          const std::vector<T> x = noise<T>(rows * d, 1, 0.5), dy = noise<T>(rows * d, 2), w = noise<T>(d, 3, 1, 0.3),
                               b = noise<T>(d, 4);
          std::vector<T> y(rows * d), dx(rows * d);
          std::vector<double> mean(rows), rstd(rows), dw(d), db(d);
          const T* weight = affine ? w.data() : nullptr;
          if (centred) {
            layer_norm(rows, d, x.data(), weight, affine ? b.data() : nullptr, eps, y.data(), mean.data(), rstd.data());
            layer_norm_backward(rows, d, dy.data(), x.data(), weight, mean.data(), rstd.data(), dx.data(), dw.data(),
                                db.data());
          } else {
            rms_norm(rows, d, x.data(), weight, eps, y.data(), rstd.data());
            rms_norm_backward(rows, d, dy.data(), x.data(), weight, rstd.data(), dx.data(), dw.data());
          }
          std::vector<Real> dw_exact(d), db_exact(d);
          for (int64_t i = 0; i < rows; ++i) {
            Real r, mean_g = 0, mean_gx = 0;
            const std::vector<Real> xhat = xhat_of(&x[i * d], d, eps, centred, &r);
            const auto g = [&](int64_t j) { return Real{dy[i * d + j]} * (affine ? w[j] : 1); };
            for (int64_t j = 0; j < d; ++j) {
              if (centred) mean_g += g(j) / d;
              mean_gx += g(j) * xhat[j] / d;
              dw_exact[j] += dy[i * d + j] * xhat[j];
              db_exact[j] += dy[i * d + j];
            }
            for (int64_t j = 0; j < d; ++j) {
              const Real exact = xhat[j] * (affine ? w[j] : 1) + (affine && centred ? b[j] : 0);
              ASSERT_NEAR(y[i * d + j], exact, this->tolerance) << rows << "x" << d;
              const Real slope = r * (g(j) - mean_g - xhat[j] * mean_gx);
              ASSERT_NEAR(dx[i * d + j], slope, this->tolerance * (1 + r)) << rows << "x" << d;
            }
          }
          for (int64_t j = 0; j < d; ++j) {
            ASSERT_NEAR(dw[j], dw_exact[j], 1e-12) << rows << "x" << d;
            if (centred) {
              ASSERT_NEAR(db[j], db_exact[j], 1e-12) << rows << "x" << d;
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(Norm, GivesARowTheSameBitsInAnyBatch) {
  using T = TypeParam;
  for (int64_t d : {17, 64, 67}) {
    const int64_t rows = 11;
    const std::vector<T> x = noise<T>(rows * d, 1), dy = noise<T>(rows * d, 2), w = noise<T>(d, 3);
    std::vector<T> y(rows * d), dx(rows * d), y1(d), dx1(d);
    std::vector<double> mean(rows), rstd(rows), dw(d), db(d);
    layer_norm(rows, d, x.data(), w.data(), w.data(), 1e-5, y.data(), mean.data(), rstd.data());
    layer_norm_backward(rows, d, dy.data(), x.data(), w.data(), mean.data(), rstd.data(), dx.data(), dw.data(),
                        db.data());
    for (int64_t i = 0; i < rows; ++i) {
      layer_norm(1, d, &x[i * d], w.data(), w.data(), 1e-5, y1.data(), &mean[i], &rstd[i]);
      layer_norm_backward(1, d, &dy[i * d], &x[i * d], w.data(), &mean[i], &rstd[i], dx1.data(), dw.data(), db.data());
      for (int64_t j = 0; j < d; ++j) ASSERT_TRUE(y[i * d + j] == y1[j] && dx[i * d + j] == dx1[j]);
    }
  }
}

TYPED_TEST(Norm, SumsPartsInTheirOrder) {
  using T = TypeParam;
  const std::vector<double> partial{1e16, 1, 1, 2, -1e16, 3};
  std::vector<T> out(2);
  sum_partials<T>(3, 2, partial.data(), out.data());
  EXPECT_EQ(out[0], T(0));  // (1e16 + 1) - 1e16 in float64
  EXPECT_EQ(out[1], T(6));
}

struct Hard {
  const char* name;
  int64_t d;
  double mean, sd;
};
// Rows on which float32 statistics lose digits, the sign of the variance, or everything.
const Hard hard[] = {{"Ordinary", 512, 0, 1},       {"Mean2000", 4, 2000, 1}, {"Mean100", 32768, 100, 0.01},
                     {"Mean1000", 16, 1000, 5e-3},  {"Mean1e4", 512, 1e4, 1}, {"Mean1e6", 512, 1e6, 1},
                     {"Scale1e20", 512, 0, 1e20},   {"Long", 1 << 20, 10, 1}, {"Constant", 64, 1234, 0},
                     {"Constant1e7", 4096, 1e7, 0}, {"Pair", 2, 3, 1e-3}};

TEST(NormNumerics, HoldsTheLastDigitsOfHardRows) {
  for (const Hard& c : hard) {
    const std::vector<float> x = noise<float>(c.d, 5, c.mean, c.sd);
    std::vector<float> y(c.d);
    double mean, rstd;
    layer_norm<float>(1, c.d, x.data(), nullptr, nullptr, 1e-5, y.data(), &mean, &rstd);
    const std::vector<Real> exact = xhat_of(x.data(), c.d, 1e-5, true);
    Real worst = 0;
    for (int64_t j = 0; j < c.d; ++j) worst = std::max(worst, std::fabs(y[j] - exact[j]));
    EXPECT_LE(worst, 2e-7L) << c.name;
    RecordProperty(c.name, std::to_string(static_cast<double>(worst) * 1e9) + "e-9");
    if (c.sd == 0) {
      EXPECT_EQ(worst, 0.0L) << c.name;
    }
  }
  const float x[] = {40000, 40001, 40002, 40003};
  float y[4];
  layer_norm<float>(1, 4, x, nullptr, nullptr, 1e-5, y, nullptr, nullptr);
  for (int j = 0; j < 4; ++j) EXPECT_NEAR(y[j], (j - 1.5) / std::sqrt(1.25 + 1e-5), 1e-7);
}

TEST(NormNumerics, HoldsTheLastDigitsOfHardChannels) {
  for (const Hard& c : hard) {
    for (double first_is_off : {0.0, 1e3}) {
      std::vector<float> row = noise<float>(c.d, 6, c.mean, c.sd), x(3 * c.d), y(3 * c.d);
      row[0] = static_cast<float>(row[0] + first_is_off * c.sd);
      const std::vector<Real> exact = xhat_of(row.data(), c.d, 1e-5, true);
      for (bool columns : {true, false}) {
        const int64_t n = columns ? c.d : 1, l = columns ? 1 : c.d;
        const auto at = [=](int64_t k, int64_t i) { return columns ? i * 3 + k : k * l + i; };
        for (int64_t k = 0; k < 3; ++k)
          for (int64_t i = 0; i < c.d; ++i) x[at(k, i)] = row[i];
        const Channels all{n, 3, l, 0, n, 0, 3};
        double sum[3], squares[3], mean[3], variance[3], rstd[3];
        batch_norm_sums(all, x.data(), sum, squares);
        batch_norm_stats(all, 1, x.data(), sum, squares, mean, variance);
        for (int64_t k = 0; k < 3; ++k) rstd[k] = 1 / std::sqrt(variance[k] + 1e-5);
        batch_norm_apply<float>(all, x.data(), mean, rstd, nullptr, nullptr, false, y.data());
        for (int64_t k = 0; k < 3; ++k) {
          for (int64_t i = 0; i < c.d; ++i)
            ASSERT_NEAR(y[at(k, i)], exact[i], 1.2e-7L * std::max<Real>(std::fabs(exact[i]), 1))
                << c.name << " " << first_is_off << " element " << i;
          if (c.sd == 0) {
            EXPECT_EQ(variance[k], 0.0) << c.name;
          }
        }
      }
    }
  }
}

TEST(NormNumerics, WritesArraysLargerThanTheCachesAlike) {
  for (int64_t c : {512, 521}) {  // whole lines, and not
    const int64_t n = 4099;
    const std::vector<float> x = noise<float>(n * c, 7), w = noise<float>(c, 8);
    alignas(64) static float y[4099 * 521];
    std::vector<double> mean(c, 0.25), rstd(c, 2.0);
    batch_norm_apply<float>({n, c, 1, 0, n, 0, 100}, x.data(), mean.data(), rstd.data(), w.data(), nullptr, false, y);
    batch_norm_apply<float>({n, c, 1, 0, n, 100, c}, x.data(), mean.data(), rstd.data(), w.data(), nullptr, false, y);
    for (int64_t i = 0; i < n * c; ++i)
      ASSERT_EQ(y[i], static_cast<float>((x[i] - 0.25) * (2.0 * w[i % c]))) << c << " element " << i;
  }
}

TEST(NormNumerics, KeepsNanAndInfinityInTheirRow) {
  std::vector<float> x = noise<float>(3 * 20, 1), y(60);
  x[20] = std::nanf("");
  x[45] = HUGE_VALF;
  layer_norm<float>(3, 20, x.data(), nullptr, nullptr, 1e-5, y.data(), nullptr, nullptr);
  for (int j = 0; j < 20; ++j) {
    EXPECT_TRUE(std::isfinite(y[j]));
    EXPECT_TRUE(std::isnan(y[20 + j]));
    EXPECT_FALSE(std::isfinite(y[40 + j]) && y[40 + j] != 0);
  }
}

TYPED_TEST(Norm, BatchNormMatchesItsDefinitionForwardAndBackward) {
  using T = TypeParam;
  for (auto [n, c, l] :
       {std::array<int64_t, 3>{5, 1, 1}, {17, 67, 1}, {9, 130, 1}, {4, 3, 15}, {3, 2, 67}, {2, 5, 2}}) {
    for (bool affine : {true, false}) {
      const std::vector<T> x = noise<T>(n * c * l, 1, 100), dy = noise<T>(n * c * l, 2), w = noise<T>(c, 3),
                           b = noise<T>(c, 4);
      const T* weight = affine ? w.data() : nullptr;
      std::vector<T> y(x.size()), dx(x.size());
      std::vector<double> mean(c), variance(c), rstd(c), dw(c), db(c);
      // In blocks, as threads would: two of rows, two of channels.
      const Channels whole{n, c, l, 0, n, 0, c};
      std::vector<std::pair<int64_t, Channels>> blocks;
      for (int64_t part : {0, 1}) {
        const int64_t first = part ? n / 2 : 0, last = part ? n : n / 2;
        blocks.push_back({part, {n, c, l, first, last, 0, c / 2}});
        blocks.push_back({part, {n, c, l, first, last, c / 2, c}});
      }
      std::vector<double> sums(2 * c), squares(2 * c);
      for (const auto& [part, block] : blocks) batch_norm_sums(block, x.data(), &sums[part * c], &squares[part * c]);
      batch_norm_stats(whole, 2, x.data(), sums.data(), squares.data(), mean.data(), variance.data());
      for (int64_t k = 0; k < c; ++k) rstd[k] = 1 / std::sqrt(variance[k] + 1e-5);
      for (const auto& [part, block] : blocks) {
        batch_norm_apply(block, x.data(), mean.data(), rstd.data(), weight, affine ? b.data() : nullptr, false,
                         y.data());
        batch_norm_backward_sums<T>(block, dy.data(), nullptr, x.data(), mean.data(), &sums[part * c],
                                    &squares[part * c]);
      }
      sum_partials(2, c, sums.data(), dw.data());
      sum_partials(2, c, squares.data(), db.data());
      for (int64_t k = 0; k < c; ++k) dw[k] *= rstd[k];
      for (const auto& [part, block] : blocks)
        batch_norm_backward<T>(block, dy.data(), nullptr, x.data(), mean.data(), rstd.data(), weight, dw.data(),
                               db.data(), dx.data());
      for (int64_t k = 0; k < c; ++k) {
        std::vector<T> row;
        std::vector<int64_t> at;
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < l; ++j) at.push_back((i * c + k) * l + j), row.push_back(x[at.back()]);
        }
        const int64_t m = n * l;
        Real r, sum_dy = 0, sum_dyx = 0;
        const std::vector<Real> xhat = xhat_of(row.data(), m, 1e-5, true, &r);
        for (int64_t e = 0; e < m; ++e) sum_dy += dy[at[e]], sum_dyx += dy[at[e]] * xhat[e];
        const Real scale = affine ? w[k] : 1, shift = affine ? b[k] : 0;
        ASSERT_NEAR(dw[k], sum_dyx, 1e-10);
        ASSERT_NEAR(db[k], sum_dy, 1e-12);
        const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-11;
        for (int64_t e = 0; e < m; ++e) {
          ASSERT_NEAR(y[at[e]], xhat[e] * scale + shift, tolerance);
          ASSERT_NEAR(dx[at[e]], scale * r * (dy[at[e]] - sum_dy / m - xhat[e] * sum_dyx / m), tolerance * (1 + r));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tapegrad::kernels
