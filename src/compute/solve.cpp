// Gaussian elimination and the square root of a matrix, in float64 for both types.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compute/arrays.h"
#include "compute/elementwise.h"

namespace tapegrad::compute {

namespace {

constexpr double kWork = 1 << 17;  // multiplications of a chunk of matrices, 50 microseconds or so

// a, n x n, is overwritten, b, n x k, becomes the solution. False at a pivot of 0, and then b is NaN.
bool eliminate(int64_t n, int64_t k, double* a, double* b, double& det) {
  det = 1;
  const auto subtract = [](int64_t count, double factor, const double* from, double* to) {
    for (int64_t i = 0; i < count; ++i) to[i] -= factor * from[i];
  };
  for (int64_t j = 0; j < n; ++j) {
    int64_t top = j;
    for (int64_t i = j + 1; i < n; ++i)
      if (std::fabs(a[i * n + j]) > std::fabs(a[top * n + j])) top = i;
    if (top != j) {
      std::swap_ranges(a + j * n, a + (j + 1) * n, a + top * n);
      std::swap_ranges(b + j * k, b + (j + 1) * k, b + top * k);
      det = -det;
    }
    const double pivot = a[j * n + j];
    det *= pivot;
    if (pivot == 0) {
      std::fill_n(b, n * k, std::numeric_limits<double>::quiet_NaN());
      return false;
    }
    for (int64_t i = j + 1; i < n; ++i) {
      const double factor = a[i * n + j] / pivot;
      subtract(n - j - 1, factor, a + j * n + j + 1, a + i * n + j + 1);
      subtract(k, factor, b + j * k, b + i * k);
    }
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t j = i + 1; j < n; ++j) subtract(k, a[i * n + j], b + j * k, b + i * k);
    for (int64_t c = 0; c < k; ++c) b[i * k + c] /= a[i * n + i];
  }
  return true;
}

// a becomes L, zero above the diagonal, and NaN from the first pivot on that is not positive.
void factor(int64_t n, double* a) {
  for (int64_t j = 0; j < n; ++j) {
    std::fill(a + j * n + j + 1, a + (j + 1) * n, 0.0);
    for (int64_t i = j; i < n; ++i) {
      double rest = a[i * n + j];
      for (int64_t m = 0; m < j; ++m) rest -= a[i * n + m] * a[j * n + m];
      if (i == j)
        a[i * n + j] = rest > 0 ? std::sqrt(rest) : std::numeric_limits<double>::quiet_NaN();
      else
        a[i * n + j] = rest / a[j * n + j];
    }
  }
}

Shape lead_of(const Tensor& a) {
  Shape lead = a.shape();
  for (int i = 0; i < 2; ++i) lead.erase(lead.size() - 1);
  return lead;
}

// f(i) for each matrix of the batch.
template <class F>
void for_matrices(const Tensor& a, F f) {
  const double n = double(a.shape().back()), work = std::max(n * n * n, 1.0);
  parallel_rows(lead_of(a).numel(), std::max<int64_t>(1, int64_t(kWork / work)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b, int64_t* singular) {
  const Tensor left = convert(a, float64), x = convert(b, float64), regular = ones(lead_of(a), {.dtype = boolean});
  const int64_t n = a.shape().back(), k = b.shape().back();
  double *matrix = detail::mutable_ptr<double>(left), *right = detail::mutable_ptr<double>(x);
  bool* solved = detail::mutable_ptr<bool>(regular);
  for_matrices(a, [=](int64_t i) {
    double det;
    solved[i] = eliminate(n, k, matrix + i * n * n, right + i * n * k, det);
  });
  const bool* first = std::find(solved, solved + regular.numel(), false);
  *singular = first < solved + regular.numel() ? first - solved : -1;
  return convert(x, b.dtype());
}

Tensor det(const Tensor& a) {
  const Tensor left = convert(a, float64), y = detail::new_tensor(lead_of(a), float64);
  const int64_t n = a.shape().back();
  double *matrix = detail::mutable_ptr<double>(left), *out = detail::mutable_ptr<double>(y);
  for_matrices(a, [=](int64_t i) { eliminate(n, 0, matrix + i * n * n, nullptr, out[i]); });
  return convert(y, a.dtype());
}

Tensor cholesky(const Tensor& a) {
  const Tensor y = convert(a, float64);
  const int64_t n = a.shape().back();
  double* matrix = detail::mutable_ptr<double>(y);
  for_matrices(a, [=](int64_t i) { factor(n, matrix + i * n * n); });
  return convert(y, a.dtype());
}

}  // namespace tapegrad::compute
