// Batch normalization of [n, c, l]: each channel by the mean and variance of its m = n l elements.
//
//   xhat = (x - mu) rstd      y = xhat weight + bias
//   dbias = sum dy            dweight = sum dy xhat
//   dx = weight rstd (dy - dbias / m - xhat dweight / m)        as for a row of layer normalization, g = dy
//   weight
//
// Where the statistics are running ones, dx = dy weight rstd: no mean of this batch stands in xhat.
//
// Numerics: float64 sums and differences, the mean before the deviations (see layer_norm.cpp). With l = 1 a
// channel is a column, and the columns are walked row by row in strips, each column a lane: a sum runs over
// the batch in its order. Otherwise a channel is n spans of l.
//
// Source: Ioffe, Szegedy (2015), Batch Normalization, arXiv:1502.03167, algorithm 1 and section 3.
#include "kernels/lanes.h"
#include "kernels/map.h"
#include "kernels/norm.h"

namespace tapegrad::kernels {

namespace {

constexpr int64_t strip = 64;  // columns that are summed together: 4 cache lines of float

/// sum over the batch of term(element, column), for the columns [begin, end) of [n, c].
template <class Term>
inline void column_sums(Channels shape, double* sum, Term term) {
  for (int64_t j0 = shape.begin; j0 < shape.end; j0 += strip) {
    const int64_t width = shape.end - j0 < strip ? shape.end - j0 : strip;
    double s[strip] = {};
    if (width == strip) {
      for (int64_t i = 0; i < shape.n; ++i) {
        for (int64_t k = 0; k < strip; ++k) s[k] += term(i * shape.c + j0 + k, j0 + k);
      }
    } else {
      for (int64_t i = 0; i < shape.n; ++i) {
        for (int64_t k = 0; k < width; ++k) s[k] += term(i * shape.c + j0 + k, j0 + k);
      }
    }
    for (int64_t k = 0; k < width; ++k) sum[j0 + k] = s[k];
  }
}

/// sum over batch and positions of term(element, channel): into sum[channel] for the channels [begin, end).
template <class Term>
inline void channel_sums(Channels shape, double* sum, Term term) {
  if (shape.l == 1) return column_sums(shape, sum, term);
  for (int64_t c = shape.begin; c < shape.end; ++c) {
    double s = 0.0;
    for (int64_t i = 0; i < shape.n; ++i) {
      const int64_t first = (i * shape.c + c) * shape.l;
      s += sum_of(shape.l, [=](int64_t j) { return term(first + j, c); });
    }
    sum[c] = s;
  }
}

/// to[element] = f(element, channel).
template <class T, class F>
inline void channel_map(Channels shape, T* to, F f) {
  if (shape.l == 1) {
    for (int64_t i = 0; i < shape.n; ++i) {
      TAPEGRAD_INDEPENDENT
      for (int64_t c = shape.begin; c < shape.end; ++c)
        to[i * shape.c + c] = static_cast<T>(f(i * shape.c + c, c));
    }
    return;
  }
  for (int64_t i = 0; i < shape.n; ++i) {
    for (int64_t c = shape.begin; c < shape.end; ++c) {
      const int64_t first = (i * shape.c + c) * shape.l;
      TAPEGRAD_INDEPENDENT
      for (int64_t j = first; j < first + shape.l; ++j) to[j] = static_cast<T>(f(j, c));
    }
  }
}

}  // namespace

template <class T>
void batch_norm_stats(Channels shape, const T* x, double* mean, double* variance) {
  simd([=] {
    const double count = static_cast<double>(shape.n) * static_cast<double>(shape.l);
    channel_sums(shape, mean, [=](int64_t i, int64_t) { return double{x[i]}; });
    for (int64_t c = shape.begin; c < shape.end; ++c) mean[c] /= count;
    channel_sums(shape, variance, [=](int64_t i, int64_t c) { return (x[i] - mean[c]) * (x[i] - mean[c]); });
    for (int64_t c = shape.begin; c < shape.end; ++c) variance[c] /= count;
  });
}

template <class T>
void batch_norm_apply(Channels shape, const T* x, const double* mean, const double* rstd, const T* weight,
                      const T* bias, T* y) {
  simd([=] {
    if (weight && bias) {
      channel_map(shape, y,
                  [=](int64_t i, int64_t c) { return (x[i] - mean[c]) * rstd[c] * weight[c] + bias[c]; });
    } else {
      channel_map(shape, y, [=](int64_t i, int64_t c) {
        return (x[i] - mean[c]) * rstd[c] * (weight ? double{weight[c]} : 1.0) +
               (bias ? double{bias[c]} : 0.0);
      });
    }
  });
}

template <class T>
void batch_norm_backward_sums(Channels shape, const T* dy, const T* x, const double* mean, const double* rstd,
                              double* dweight, double* dbias) {
  simd([=] {
    channel_sums(shape, dbias, [=](int64_t i, int64_t) { return double{dy[i]}; });
    channel_sums(shape, dweight, [=](int64_t i, int64_t c) { return dy[i] * ((x[i] - mean[c]) * rstd[c]); });
  });
}

template <class T>
void batch_norm_backward(Channels shape, const T* dy, const T* x, const double* mean, const double* rstd,
                         const T* weight, const double* dweight, const double* dbias, T* dx) {
  simd([=] {
    const double part = 1.0 / (static_cast<double>(shape.n) * static_cast<double>(shape.l));
    const auto from_batch = [=](int64_t i, int64_t c) {
      return rstd[c] * ((dy[i] - dbias[c] * part) - (x[i] - mean[c]) * (rstd[c] * (dweight[c] * part)));
    };
    if (weight) {
      channel_map(shape, dx, [=](int64_t i, int64_t c) { return weight[c] * from_batch(i, c); });
    } else {
      channel_map(shape, dx, from_batch);
    }
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                                                             \
  template void batch_norm_stats(Channels, const T*, double*, double*);                                     \
  template void batch_norm_apply(Channels, const T*, const double*, const double*, const T*, const T*, T*); \
  template void batch_norm_backward_sums(Channels, const T*, const T*, const double*, const double*,        \
                                         double*, double*);                                                 \
  template void batch_norm_backward(Channels, const T*, const T*, const double*, const double*, const T*,   \
                                    const double*, const double*, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
