// Softmax, log-softmax and cross-entropy of rows z of d logits.
//
//   m = max z     lse = m + ln sum exp(z - m)
//   softmax       y = exp(z - m) / sum exp(z - m)     dz = y (dy - sum(dy y))
//   log-softmax   y = z - lse                         dz = dy - exp(y) sum(dy)
//   cross-entropy loss = lse - z_t                    dz = exp(z - lse) - onehot(t)
//
// Saved: y, or for cross-entropy lse alone; the probabilities are computed again from the logits, so no
// second array of their size is held.
//
// Numerics: no exponent is positive, so nothing overflows, and the largest term of the sum is 1. Sums are
// float64. z - lse is formed as (z - m) - ln sum: with m = 1e6 and all logits near it, lse rounded to float32
// would be off by 0.03.
//
// Source: Blanchard, Higham, Higham (2021), Accurately computing the log-sum-exp and softmax functions,
//         IMA Journal of Numerical Analysis 41(4), algorithm 3.2.
#include "kernels/softmax.h"

#include <cmath>
#include <limits>

#include "kernels/loops/map.h"
#include "kernels/vector/lanes.h"
#include "kernels/vector/math.h"

namespace tapegrad::kernels {

namespace {

/// sum exp(x - m), in blocks of exponentials that stay in the first level of the cache.
template <class T>
inline double sum_exp(int64_t d, const T* x, T m) {
  constexpr int64_t block = 512;
  T e[block];
  double sum = 0.0;
  for (int64_t first = 0; first < d; first += block) {
    const int64_t n = d - first < block ? d - first : block;
    for (int64_t j = 0; j < n; ++j) e[j] = math::exp(x[first + j] - m);
    const T* from = e;
    sum += sum_of(n, [=](int64_t j) { return double{from[j]}; });
  }
  return sum;
}

/// row(from, to) for each row of x and of y.
template <class T, class Row>
inline void each_row(int64_t rows, int64_t d, const T* x, T* y, Row row) {
  simd([=] {
    for (int64_t i = 0; i < rows; ++i) row(x + i * d, y + i * d);
  });
}

}  // namespace

template <class T>
void softmax(int64_t rows, int64_t d, const T* x, T* y) {
  each_row(rows, d, x, y, [=](const T* from, T* to) {
    const T m = row_max(d, from);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) to[j] = math::exp(from[j] - m);
    const double scale = 1.0 / sum_of(d, [=](int64_t j) { return double{to[j]}; });
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) to[j] = static_cast<T>(to[j] * scale);
  });
}

template <class T>
void softmax_backward(int64_t rows, int64_t d, const T* dy, const T* y, T* dx) {
  each_row(rows, d, dy, dx, [=](const T* g, T* to) {
    const T* p = y + (g - dy);
    const double mean = sum_of(d, [=](int64_t j) { return double{g[j]} * p[j]; });
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) to[j] = static_cast<T>(p[j] * (g[j] - mean));
  });
}

template <class T>
void log_softmax(int64_t rows, int64_t d, const T* x, T* y) {
  each_row(rows, d, x, y, [=](const T* from, T* to) {
    const T m = row_max(d, from);
    const double log_sum = math::log(sum_exp(d, from, m));
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) to[j] = static_cast<T>((double{from[j]} - m) - log_sum);
  });
}

template <class T>
void log_softmax_backward(int64_t rows, int64_t d, const T* dy, const T* y, T* dx) {
  each_row(rows, d, dy, dx, [=](const T* g, T* to) {
    const T* log_p = y + (g - dy);
    const double sum = sum_of(d, [=](int64_t j) { return double{g[j]}; });
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < d; ++j) to[j] = static_cast<T>(g[j] - math::exp(log_p[j]) * sum);
  });
}

template <class T>
void logsumexp(int64_t rows, int64_t d, const T* x, double* lse) {
  simd([=] {
    for (int64_t i = 0; i < rows; ++i) {
      const T* from = x + i * d;
      const T m = row_max(d, from);
      if (std::isinf(m)) {  // nothing but -inf, or an inf that outweighs the rest; x - m would be NaN
        const bool has_nan = sum_of(d, [=](int64_t j) { return from[j] != from[j] ? 1.0 : 0.0; }) > 0.0;
        lse[i] = has_nan ? std::numeric_limits<double>::quiet_NaN() : double{m};
      } else {
        lse[i] = m + math::log(sum_exp(d, from, m));
      }
    }
  });
}

template <class T>
void cross_entropy(int64_t rows, int64_t d, const T* x, const int64_t* target, int64_t ignore_index, double* loss,
                   double* log_sum) {
  simd([=] {
    for (int64_t i = 0; i < rows; ++i) {
      const T* from = x + i * d;
      const T m = row_max(d, from);
      log_sum[i] = math::log(sum_exp(d, from, m));
      loss[i] = target[i] == ignore_index ? 0.0 : log_sum[i] - (double{from[target[i]]} - m);
    }
  });
}

template <class T>
void cross_entropy_backward(int64_t rows, int64_t d, const T* x, const int64_t* target, int64_t ignore_index,
                            const double* log_sum, double scale, T* dx) {
  simd([=] {
    for (int64_t i = 0; i < rows; ++i) {
      const T* from = x + i * d;
      T* to = dx + i * d;
      if (target[i] == ignore_index) {
        for (int64_t j = 0; j < d; ++j) to[j] = T(0);
        continue;
      }
      const double m = row_max(d, from), rest = log_sum[i];
      const auto log_p = [=](int64_t j) { return static_cast<T>((from[j] - m) - rest); };
      const T log_p_target = log_p(target[i]);
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < d; ++j) to[j] = static_cast<T>(math::exp(log_p(j)) * scale);
      to[target[i]] = static_cast<T>(math::expm1(log_p_target) * scale);  // p - 1 without cancellation as p nears 1
    }
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                                                       \
  template void softmax(int64_t, int64_t, const T*, T*);                                              \
  template void softmax_backward(int64_t, int64_t, const T*, const T*, T*);                           \
  template void log_softmax(int64_t, int64_t, const T*, T*);                                          \
  template void log_softmax_backward(int64_t, int64_t, const T*, const T*, T*);                       \
  template void logsumexp(int64_t, int64_t, const T*, double*);                                       \
  template void cross_entropy(int64_t, int64_t, const T*, const int64_t*, int64_t, double*, double*); \
  template void cross_entropy_backward(int64_t, int64_t, const T*, const int64_t*, int64_t, const double*, double, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
