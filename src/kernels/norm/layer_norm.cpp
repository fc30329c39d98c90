// Layer normalization and RMS normalization of rows of d elements. What they compute, and its gradient, is derived in
// src/ops/norm/layer_norm.cpp; the names mu, rstd, xhat and g are those of it. For RMS, mu = 0, and there is no bias.
//
// Numerics: sums and differences are float64, also for float32. With a mean rounded to float32 the row
// [40000, 40001, 40002, 40003] loses its last digits, with E[x^2] - E[x]^2 all of them; float64 also holds
// the squares of 1e20. The conversions are free where the row comes from memory.
//
// A row is read from memory once and stays in the cache for the passes over it. Rows are taken four at a
// time, so that weight and bias are loaded and converted once for four rows, and the sums for dweight and
// dbias loaded and stored once for four additions.
#include <cmath>
#include <type_traits>

#include "kernels/loops/map.h"
#include "kernels/norm/norm.h"
#include "kernels/vector/constants.h"
#include "kernels/vector/lanes.h"

namespace tapegrad::kernels {

namespace {

enum class Kind { layer, rms };

/// f(group, first) for groups of four rows, then of one; the size of a group is a compile-time constant. Rows
/// of double are taken one by one: nothing is converted, and this file takes long enough to compile.
template <class T, class F>
inline void in_groups(int64_t rows, F f) {
  int64_t i = 0;
  if constexpr (std::is_same_v<T, float>) {
    for (; i + 4 <= rows; i += 4) f(std::integral_constant<int, 4>{}, i);
  }
  for (; i < rows; ++i) f(std::integral_constant<int, 1>{}, i);
}

template <Kind kind, bool has_weight, bool has_bias, int group, class T>
inline void forward_rows(int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y, double* mean,
                         double* rstd) {
  double mu[group], r[group];
  for (int i = 0; i < group; ++i) {
    const T* row = x + i * d;
    const double m = kind == Kind::layer ? sum_of(d, [=](int64_t j) { return double{row[j]}; }) / d : 0.0;
    const double squares = sum_of(d, [=](int64_t j) { return (row[j] - m) * (row[j] - m); });
    mu[i] = m;
    r[i] = 1.0 / std::sqrt(squares / d + eps);
    if (mean) mean[i] = mu[i];
    if (rstd) rstd[i] = r[i];
  }
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < d; ++j) {
    const double w = has_weight ? double{weight[j]} : 1.0, b = has_bias ? double{bias[j]} : 0.0;
    for (int i = 0; i < group; ++i) y[i * d + j] = static_cast<T>((x[i * d + j] - mu[i]) * r[i] * w + b);
  }
}

template <Kind kind, class T>
void forward(int64_t rows, int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y, double* mean,
             double* rstd) {
  const auto run = [=](auto has_weight, auto has_bias) {
    simd([=] {
      in_groups<T>(rows, [=](auto group, int64_t i) {
        forward_rows<kind, has_weight(), kind == Kind::layer && has_bias(), group()>(
            d, x + i * d, weight, bias, eps, y + i * d, mean ? mean + i : nullptr, rstd ? rstd + i : nullptr);
      });
    });
  };
  if constexpr (kind == Kind::layer)
    with_constants(run, weight, bias);
  else
    with_constants([=](auto has_weight) { run(has_weight, std::false_type{}); }, weight);
}

/// dx of `group` rows, and what they add to dweight and dbias. With v = x - mu, dx = rstd (g - mean(g)) - v a. The mean is subtracted before the
/// product, so that what cancels is exactly zero.
template <Kind kind, bool has_weight, bool sums_wanted, int group, class T>
inline void backward_rows(int64_t d, const T* dy, const T* x, const T* weight, const double* mean, const double* rstd,
                          T* dx, double* dweight, double* dbias) {
  double mu[group], r[group], a[group], mean_g[group];
  for (int i = 0; i < group; ++i) {
    const double m = mu[i] = kind == Kind::layer ? mean[i] : 0.0;
    r[i] = rstd[i];
    const T *dy_row = dy + i * d, *x_row = x + i * d;
    const Pair sum = sums_of(d, [=](int64_t j) {
      const double g = has_weight ? double{dy_row[j]} * weight[j] : double{dy_row[j]};
      return Pair{g, g * (x_row[j] - m)};
    });
    a[i] = r[i] * r[i] * r[i] * sum.second / d;
    mean_g[i] = kind == Kind::layer ? sum.first / d : 0.0;
  }
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < d; ++j) {
    const double w = has_weight ? double{weight[j]} : 1.0;
    double to_weight = 0.0, to_bias = 0.0;
    for (int i = 0; i < group; ++i) {
      const double slope = dy[i * d + j], v = x[i * d + j] - mu[i];
      dx[i * d + j] = static_cast<T>(r[i] * (slope * w - mean_g[i]) - v * a[i]);
      to_weight += slope * (v * r[i]);
      to_bias += slope;
    }
    if constexpr (sums_wanted) dweight[j] += to_weight;
    if constexpr (sums_wanted && kind == Kind::layer) dbias[j] += to_bias;
  }
}

template <Kind kind, class T>
void backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* mean, const double* rstd,
              T* dx, double* dweight, double* dbias) {
  const bool sums = dweight && (kind == Kind::rms || dbias);
  with_constants(
      [=](auto has_weight, auto sums_wanted) {
        simd([=] {
          in_groups<T>(rows, [=](auto group, int64_t i) {
            backward_rows<kind, has_weight(), sums_wanted(), group()>(d, dy + i * d, x + i * d, weight, mean + i,
                                                                      rstd + i, dx + i * d, dweight, dbias);
          });
        });
      },
      weight, sums);
}

}  // namespace

template <class T>
void layer_norm(int64_t rows, int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y, double* mean,
                double* rstd) {
  forward<Kind::layer>(rows, d, x, weight, bias, eps, y, mean, rstd);
}

template <class T>
void layer_norm_backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* mean,
                         const double* rstd, T* dx, double* dweight, double* dbias) {
  backward<Kind::layer>(rows, d, dy, x, weight, mean, rstd, dx, dweight, dbias);
}

template <class T>
void rms_norm(int64_t rows, int64_t d, const T* x, const T* weight, double eps, T* y, double* rstd) {
  forward<Kind::rms>(rows, d, x, weight, static_cast<const T*>(nullptr), eps, y, nullptr, rstd);
}

template <class T>
void rms_norm_backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* rstd, T* dx,
                       double* dweight) {
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

#define TAPEGRAD_INSTANTIATE(T)                                                                                       \
  template void layer_norm(int64_t, int64_t, const T*, const T*, const T*, double, T*, double*, double*);             \
  template void layer_norm_backward(int64_t, int64_t, const T*, const T*, const T*, const double*, const double*, T*, \
                                    double*, double*);                                                                \
  template void rms_norm(int64_t, int64_t, const T*, const T*, double, T*, double*);                                  \
  template void rms_norm_backward(int64_t, int64_t, const T*, const T*, const T*, const double*, T*, double*);        \
  template void sum_partials(int64_t, int64_t, const double*, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
