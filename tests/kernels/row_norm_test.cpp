// The oracle is the definition in long double, on the same inputs.
#include "kernels/norm/row_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace tapegrad::kernels {
namespace {

using Real = long double;

template <class T>
struct Matrix {
  int64_t rows, n;
  std::vector<T> values;
  Matrix(int64_t rows, int64_t n) : rows(rows), n(n), values(size_t(rows * n)) {}
  Matrix(int64_t rows, int64_t n, unsigned seed, double mean = 0, double sd = 1) : Matrix(rows, n) {
    std::mt19937 engine(seed);
    std::normal_distribution<double> normal(mean, sd);
    for (T& value : values) value = T(normal(engine));
  }
  MatrixRows<T> view() { return {values.data(), n}; }
  Real at(int64_t row, int64_t j) const { return Real(values[size_t(row * n + j)]); }
};

struct Moments {
  Real mean = 0, variance = 0;
};
template <class T>
Moments moments(const Matrix<T>& x, int64_t row, bool centered) {
  Moments m;
  for (int64_t j = 0; centered && j < x.n; ++j) m.mean += x.at(row, j) / x.n;
  for (int64_t j = 0; j < x.n; ++j) m.variance += (x.at(row, j) - m.mean) * (x.at(row, j) - m.mean) / x.n;
  return m;
}

// At the width of this CPU.
template <class T>
void measure(const RowList& list, int64_t n, MatrixRows<const T> x, RowNormOptions options,
             MatrixRows<RowNorm<T>> norms) {
  simd([=, &list](auto isa) { measure_rows<decltype(isa), T>(list, n, x, options, norms); });
}
template <class T>
void backward(const RowList& list, int64_t n, const NormInput<T>& input, MatrixRows<const T> dy, MatrixRows<T> dx,
              RowNormOptions options) {
  simd([=, &list](auto isa) { norm_rows_backward<decltype(isa), T>(list, n, input, dy, dx, options); });
}

std::vector<int64_t> every_row(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) rows[size_t(k)] = k;
  return rows;
}

template <class T>
class RowNorms : public testing::Test {
 protected:
  static constexpr double eps = 1e-5, tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14;
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RowNorms, Types);

TYPED_TEST(RowNorms, AreTheMomentsOfEachRowWhateverTheMean) {
  using T = TypeParam;
  for (bool centered : {true, false})
    for (double mean : {0.0, 1.0, 5.0, 300.0})
      for (int64_t n : {1, 3, 16, 17, 64, 255, 256, 300, 1024})
        for (int64_t rows : {1, 3, 4, 6}) {
          SCOPED_TRACE(testing::Message()
                       << "n " << n << ", rows " << rows << ", mean " << mean << (centered ? ", layer" : ", rms"));
          Matrix<T> x(rows, n, unsigned(n + rows), mean);
          std::vector<RowNorm<T>> norms(static_cast<size_t>(rows));
          const std::vector<int64_t> list = every_row(rows);
          measure<T>({list.data(), rows}, n, x.view(), {centered, this->eps}, {norms.data(), 1});
          for (int64_t k = 0; k < rows; ++k) {
            const Moments m = moments(x, k, centered);
            const Real rstd = 1 / std::sqrt(m.variance + Real(this->eps));
            const RowNorm<T>& norm = norms[size_t(k)];
            // Of one element the variance is 0, whatever a mean of its size rounds to.
            if (n > 1 || !centered) {
              EXPECT_NEAR(double(norm.rstd / rstd), 1, this->tolerance);
            }
            for (int64_t j = 0; j < n; ++j)
              EXPECT_NEAR(double(norm(T(x.at(k, j)))), double((x.at(k, j) - m.mean) * rstd),
                          double(this->tolerance * (4 + (std::abs(m.mean) + 1) * rstd)));
          }
        }
}

TEST(RowNorms, OfLargeAndSmallValuesAreRight) {
  for (double size : {1e-12, 1e12, 1e20, 1e30})
    for (double mean : {0.0, 0.5, 100.0}) {
      SCOPED_TRACE(testing::Message() << "size " << size << ", mean " << mean);
      Matrix<float> x(3, 100, 1, mean * size, size);
      std::vector<RowNorm<float>> norms(3);
      const std::vector<int64_t> list = every_row(3);
      measure<float>({list.data(), 3}, 100, x.view(), {true, 1e-30}, {norms.data(), 1});
      for (int64_t k = 0; k < 3; ++k)
        EXPECT_NEAR(double(norms[size_t(k)].rstd * std::sqrt(moments(x, k, true).variance)), 1, 2e-6);
    }
}

// Rows of one value, in the company of others: xhat is exactly 0, and the gradient is that of a variance of 0.
TYPED_TEST(RowNorms, NormalizeAConstantRowToExactlyZero) {
  using T = TypeParam;
  constexpr int64_t kRows = 5;
  for (int64_t n : {1, 7, 16, 100, 333})
    for (double value : {0.0, 1e-42, 1e-30, 1e-20, 1e-3, 0.1, -1.0, 1000.3, -1e6, 1e15, 1e30, 3e38}) {
      SCOPED_TRACE(testing::Message() << "value " << value << ", n " << n);
      Matrix<T> x(kRows, n, 1), dy(kRows, n, 2), gain(1, n, 3), dgain(1, n);
      for (int64_t k = 1; k < kRows; k += 2) std::fill_n(&x.values[size_t(k * n)], n, T(value));
      std::vector<RowNorm<T>> norms(kRows);
      const std::vector<int64_t> ids = every_row(kRows);
      const RowList list{ids.data(), kRows};
      measure<T>(list, n, x.view(), {true, this->eps}, {norms.data(), 1});
      const NormInput<T> input{x.view(), {norms.data(), 1}, gain.values.data(), dgain.values.data()};
      Matrix<T> dx(kRows, n);
      backward<T>(list, n, input, dy.view(), dx.view(), {true, this->eps});
      for (int64_t k = 1; k < kRows; k += 2) {
        Real mean_g = 0;
        for (int64_t j = 0; j < n; ++j) mean_g += dy.at(k, j) * gain.at(0, j) / n;
        for (int64_t j = 0; j < n; ++j) {
          const Real g = dy.at(k, j) * gain.at(0, j);
          EXPECT_EQ(norms[size_t(k)](T(value)), T(0));
          EXPECT_NEAR(double(dx.at(k, j)), double((g - mean_g) / std::sqrt(Real(this->eps))), 2000 * this->tolerance);
        }
      }
    }
}

TYPED_TEST(RowNorms, HaveTheSameBitsInAnyCompany) {
  using T = TypeParam;
  constexpr int64_t kRows = 7, kN = 200;
  Matrix<T> x(kRows, kN, 1);
  std::vector<RowNorm<T>> together(kRows), alone(kRows);
  const std::vector<int64_t> list = every_row(kRows);
  measure<T>({list.data(), kRows}, kN, x.view(), {true, this->eps}, {together.data(), 1});
  for (int64_t k = 0; k < kRows; ++k)
    measure<T>({&list[size_t(k)], 1}, kN, x.view(), {true, this->eps}, {alone.data(), 1});
  for (size_t k = 0; k < kRows; ++k) {
    EXPECT_EQ(together[k].rstd, alone[k].rstd);
    EXPECT_EQ(together[k].shift, alone[k].shift);
  }
}

TYPED_TEST(RowNorms, MeasureOnlyTheRowsOfTheList) {
  using T = TypeParam;
  Matrix<T> x(6, 40, 1);
  for (int64_t j = 0; j < 40; ++j) x.values[size_t(2 * 40 + j)] = std::numeric_limits<T>::quiet_NaN();
  std::vector<RowNorm<T>> norms(6, RowNorm<T>{-1, -1});
  const std::vector<int64_t> list{0, 1, 3, 4, 5};
  measure<T>({list.data(), 5}, 40, x.view(), {true, this->eps}, {norms.data(), 1});
  EXPECT_EQ(norms[2].rstd, T(-1));
  for (int64_t k : list) EXPECT_GT(norms[size_t(k)].rstd, T(0));
}

// dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy gain, and dgain += dy xhat.
TYPED_TEST(RowNorms, BackwardIsTheFormula) {
  using T = TypeParam;
  for (bool centered : {true, false})
    for (int64_t n : {1, 5, 16, 70, 512})
      for (int64_t rows : {1, 2, 5}) {
        SCOPED_TRACE(testing::Message() << "n " << n << ", rows " << rows << (centered ? ", layer" : ", rms"));
        Matrix<T> x[2] = {Matrix<T>(rows, n, 1, 0.5), Matrix<T>(rows, n, 2)}, dy(rows, n, 3);
        Matrix<T> gain[2] = {Matrix<T>(1, n, 4, 1, 0.2), Matrix<T>(1, n, 5)}, dgain[2] = {{1, n}, {1, n}};
        Matrix<T> dx[2] = {{rows, n}, {rows, n}};
        std::vector<RowNorm<T>> norms[2];
        const std::vector<int64_t> ids = every_row(rows);
        const RowList list{ids.data(), rows};
        for (int m = 0; m < 2; ++m) {
          norms[m].resize(size_t(rows));
          measure<T>(list, n, x[m].view(), {centered, this->eps}, {norms[m].data(), 1});
        }
        dx[1] = dy;
        for (int m = 0; m < 2; ++m)  // of a tensor of its own, and in place
          backward<T>(list, n, {x[m].view(), {norms[m].data(), 1}, gain[m].values.data(), dgain[m].values.data()},
                      (m == 0 ? dy : dx[1]).view(), dx[m].view(), {centered, this->eps});
        for (int m = 0; m < 2; ++m) {
          std::vector<Real> want_dgain(static_cast<size_t>(n));
          for (int64_t k = 0; k < rows; ++k) {
            const Moments moment = moments(x[m], k, centered);
            const Real rstd = 1 / std::sqrt(moment.variance + Real(this->eps));
            Real mean_g = 0, mean_g_xhat = 0;
            for (int64_t j = 0; j < n; ++j) {
              const Real g = dy.at(k, j) * gain[m].at(0, j), xhat = (x[m].at(k, j) - moment.mean) * rstd;
              if (centered) mean_g += g / n;
              mean_g_xhat += g * xhat / n;
              want_dgain[size_t(j)] += dy.at(k, j) * xhat;
            }
            for (int64_t j = 0; j < n; ++j) {
              const Real g = dy.at(k, j) * gain[m].at(0, j), xhat = (x[m].at(k, j) - moment.mean) * rstd;
              EXPECT_NEAR(double(dx[m].at(k, j)), double(rstd * (g - mean_g - xhat * mean_g_xhat)),
                          double(20 * this->tolerance * (1 + rstd)));
            }
          }
          for (int64_t j = 0; j < n; ++j)
            EXPECT_NEAR(double(dgain[m].at(0, j)), double(want_dgain[size_t(j)]), n > 1 ? 20 * this->tolerance : 1e-3);
        }
      }
}

TEST(RowNorms, AddRowsOfAList) {
  Matrix<float> x(6, 21, 1);
  std::vector<float> sums(21, 1);
  const std::vector<int64_t> list{0, 2, 3, 4, 5};
  add_rows<float>({list.data(), 5}, 21, x.view(), sums.data());
  for (int64_t j = 0; j < 21; ++j) {
    Real want = 1;
    for (int64_t k : list) want += x.at(k, j);
    EXPECT_NEAR(double(sums[size_t(j)]), double(want), 1e-5);
  }
}

}  // namespace
}  // namespace tapegrad::kernels
