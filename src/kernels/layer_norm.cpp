// Layer normalization and RMS normalization of rows of d elements.
//
//   layer   mu = mean(x)   rstd = 1 / sqrt(mean((x - mu)^2) + eps)   xhat = (x - mu) rstd   y = xhat weight +
//   bias rms     mu = 0         the rest alike, and no bias
//
// Saved: mu and rstd in float64, and x. xhat is computed again, which costs less than reading it from memory.
//
// Backward, with g = dy weight, the gradient with respect to xhat:
//   dbias = sum over rows of dy         dweight = sum over rows of dy xhat
//   xhat depends on x directly, through mu and through rstd, and
//     d mu / d x_i = 1 / d,   d rstd / d x_i = -rstd^2 xhat_i / d,   so that
//   dx = rstd (g - mean(g) - xhat mean(g xhat))     for rms without mean(g)
//
// Numerics: sums and differences are float64, also for float32. With a mean rounded to float32 the row
// [40000, 40001, 40002, 40003] loses its last digits, with E[x^2] - E[x]^2 all of them; float64 also holds
// the squares of 1e20. The conversions are free where the row comes from memory.
//
// A row is read from memory once and stays in the cache for the passes over it. Backward takes four rows at a
// time, so that the sums for dweight and dbias are loaded and stored once for four additions.
//
// Source: Ba, Kiros, Hinton (2016), Layer Normalization, arXiv:1607.06450, equations 2 to 4.
//         Zhang, Sennrich (2019), Root Mean Square Layer Normalization, arXiv:1910.07467, equation 4.
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/map.h"
#include "kernels/norm.h"

namespace tapegrad::kernels {

namespace {

enum class Kind { layer, rms };

template <Kind kind, class T>
inline void forward_row(int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y, double& mean,
                        double& rstd) {
  const double mu = kind == Kind::layer ? sum_of(d, [=](int64_t j) { return double{x[j]}; }) / d : 0.0;
  const double squares = sum_of(d, [=](int64_t j) { return (x[j] - mu) * (x[j] - mu); });
  const double r = 1.0 / std::sqrt(squares / d + eps);
  mean = mu;
  rstd = r;
  const auto xhat = [=](int64_t j) { return (x[j] - mu) * r; };
  if (weight && bias) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) y[j] = static_cast<T>(xhat(j) * weight[j] + bias[j]);
  } else if (weight) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) y[j] = static_cast<T>(xhat(j) * weight[j]);
  } else {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) y[j] = static_cast<T>(xhat(j) + (bias ? double{bias[j]} : 0.0));
  }
}

template <Kind kind, class T>
void forward(int64_t rows, int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y,
             double* mean, double* rstd) {
  simd([=] {
    for (int64_t i = 0; i < rows; ++i) {
      double mu, r;
      forward_row<kind>(d, x + i * d, weight, bias, eps, y + i * d, mu, r);
      if (mean) mean[i] = mu;
      if (rstd) rstd[i] = r;
    }
  });
}

/// dx of one row. With v = x - mu: rstd (g - mean(g) - xhat mean(g xhat)) = rstd (g - mean(g)) - v a. The
/// mean is subtracted before the product, so that what cancels is exactly zero.
template <Kind kind, bool has_weight, class T>
inline void backward_row(int64_t d, const T* dy, const T* x, const T* weight, double mu, double r, T* dx) {
  const auto g = [=](int64_t j) { return has_weight ? double{dy[j]} * weight[j] : double{dy[j]}; };
  const double sum_g = kind == Kind::layer ? sum_of(d, g) : 0.0;
  const double sum_gv = sum_of(d, [=](int64_t j) { return g(j) * (x[j] - mu); });
  const double a = r * r * r * sum_gv / d, mean_g = sum_g / d;
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < d; ++j) dx[j] = static_cast<T>(r * (g(j) - mean_g) - (x[j] - mu) * a);
}

/// dweight += dy xhat and dbias += dy.
template <Kind kind, class T>
inline void add_to_sums(int64_t d, const T* dy, const T* x, double mu, double r, double* dweight,
                        double* dbias) {
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < d; ++j) {
    dweight[j] += dy[j] * ((x[j] - mu) * r);
    if constexpr (kind == Kind::layer) dbias[j] += dy[j];
  }
}

template <Kind kind, bool has_weight, bool sums_wanted, class T>
void backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* mean,
              const double* rstd, T* dx, double* dweight, double* dbias) {
  simd([=] {
    for (int64_t i = 0; i < rows; ++i) {
      const T *dy_row = dy + i * d, *x_row = x + i * d;
      const double mu = kind == Kind::layer ? mean[i] : 0.0, r = rstd[i];
      backward_row<kind, has_weight>(d, dy_row, x_row, weight, mu, r, dx + i * d);
      if constexpr (sums_wanted) add_to_sums<kind>(d, dy_row, x_row, mu, r, dweight, dbias);
    }
  });
}

template <Kind kind, class T>
void backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* mean,
              const double* rstd, T* dx, double* dweight, double* dbias) {
  const bool sums = dweight && (kind == Kind::rms || dbias);
  if (weight && sums)
    return backward<kind, true, true>(rows, d, dy, x, weight, mean, rstd, dx, dweight, dbias);
  if (weight) return backward<kind, true, false>(rows, d, dy, x, weight, mean, rstd, dx, dweight, dbias);
  if (sums) return backward<kind, false, true>(rows, d, dy, x, weight, mean, rstd, dx, dweight, dbias);
  backward<kind, false, false>(rows, d, dy, x, weight, mean, rstd, dx, dweight, dbias);
}

}  // namespace

template <class T>
void layer_norm(int64_t rows, int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y,
                double* mean, double* rstd) {
  forward<Kind::layer>(rows, d, x, weight, bias, eps, y, mean, rstd);
}

template <class T>
void layer_norm_backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight,
                         const double* mean, const double* rstd, T* dx, double* dweight, double* dbias) {
  backward<Kind::layer>(rows, d, dy, x, weight, mean, rstd, dx, dweight, dbias);
}

template <class T>
void rms_norm(int64_t rows, int64_t d, const T* x, const T* weight, double eps, T* y, double* rstd) {
  forward<Kind::rms>(rows, d, x, weight, static_cast<const T*>(nullptr), eps, y, nullptr, rstd);
}

template <class T>
void rms_norm_backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* rstd,
                       T* dx, double* dweight) {
  backward<Kind::rms>(rows, d, dy, x, weight, rstd, rstd, dx, dweight, nullptr);
}

template <class T>
void sum_partials(int64_t parts, int64_t d, const double* partial, T* out) {
  simd([=] {
    for (int64_t j = 0; j < d; ++j) {
      double sum = 0.0;
      for (int64_t part = 0; part < parts; ++part) sum += partial[part * d + j];
      out[j] = static_cast<T>(sum);
    }
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                                                           \
  template void layer_norm(int64_t, int64_t, const T*, const T*, const T*, double, T*, double*, double*); \
  template void layer_norm_backward(int64_t, int64_t, const T*, const T*, const T*, const double*,        \
                                    const double*, T*, double*, double*);                                 \
  template void rms_norm(int64_t, int64_t, const T*, const T*, double, T*, double*);                      \
  template void rms_norm_backward(int64_t, int64_t, const T*, const T*, const T*, const double*, T*,      \
                                  double*);                                                               \
  template void sum_partials(int64_t, int64_t, const double*, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
