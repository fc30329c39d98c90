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
// channel is a column. Memory is then read row by row and each column is a lane of its own, with its sum in
// an array; the rows are taken in groups, so that what belongs to a column is loaded once a group. Otherwise
// a channel is n spans of l.
//
// Source: Ioffe, Szegedy (2015), Batch Normalization, arXiv:1502.03167, algorithm 1 and section 3.
#include <type_traits>

#include "kernels/lanes.h"
#include "kernels/map.h"
#include "kernels/norm.h"

namespace tapegrad::kernels {

namespace {

/// to[j] += term(i, j) for the rows i of one group and the columns [begin, end).
template <int group, class Term>
inline void add_rows(int64_t begin, int64_t end, double* to, Term term) {
  TAPEGRAD_INDEPENDENT
  for (int64_t j = begin; j < end; ++j) {
    double s = term(0, j);
    for (int i = 1; i < group; ++i) s += term(i, j);
    to[j] += s;
  }
}

/// sum over the batch of term(element, column), for the columns [begin, end) of [n, c].
template <class Term>
inline void column_sums(Channels shape, double* sum, Term term) {
  constexpr int group = 8;
  for (int64_t j = shape.begin; j < shape.end; ++j) sum[j] = 0.0;
  int64_t row = 0;
  for (; row + group <= shape.n; row += group) {
    add_rows<group>(shape.begin, shape.end, sum,
                    [=](int64_t i, int64_t j) { return term((row + i) * shape.c + j, j); });
  }
  for (; row < shape.n; ++row)
    add_rows<1>(shape.begin, shape.end, sum, [=](int64_t, int64_t j) { return term(row * shape.c + j, j); });
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

/// The same element function for the rows i of one group, column by column.
template <int group, class T, class F>
inline void map_rows(Channels shape, int64_t row, T* to, F f) {
  TAPEGRAD_INDEPENDENT
  for (int64_t c = shape.begin; c < shape.end; ++c) {
    const auto of_element = f(c);
    for (int64_t i = row; i < row + group; ++i)
      to[i * shape.c + c] = static_cast<T>(of_element(i * shape.c + c));
  }
}

/// to[element] = f(channel)(element): f computes what is the same for the elements of a channel.
template <class T, class F>
inline void channel_map(Channels shape, T* to, F f) {
  if (shape.l == 1) {
    constexpr int group = 4;
    int64_t row = 0;
    for (; row + group <= shape.n; row += group) map_rows<group>(shape, row, to, f);
    for (; row < shape.n; ++row) map_rows<1>(shape, row, to, f);
    return;
  }
  for (int64_t i = 0; i < shape.n; ++i) {
    for (int64_t c = shape.begin; c < shape.end; ++c) {
      const auto of_element = f(c);
      const int64_t first = (i * shape.c + c) * shape.l;
      TAPEGRAD_INDEPENDENT
      for (int64_t j = first; j < first + shape.l; ++j) to[j] = static_cast<T>(of_element(j));
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
  const auto run = [=](auto has_weight, auto has_bias) {
    simd([=] {
      channel_map(shape, y, [=](int64_t c) {
        const double mu = mean[c], scale = rstd[c] * (has_weight() ? double{weight[c]} : 1.0);
        const double shift = has_bias() ? double{bias[c]} : 0.0;
        return [=](int64_t i) { return (x[i] - mu) * scale + shift; };
      });
    });
  };
  if (weight && bias) return run(std::true_type{}, std::true_type{});
  if (weight) return run(std::true_type{}, std::false_type{});
  if (bias) return run(std::false_type{}, std::true_type{});
  run(std::false_type{}, std::false_type{});
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
  const double part = 1.0 / (static_cast<double>(shape.n) * static_cast<double>(shape.l));
  const auto run = [=](auto has_weight) {
    simd([=] {
      channel_map(shape, dx, [=](int64_t c) {
        const double mu = mean[c], r = rstd[c], scale = r * (has_weight() ? double{weight[c]} : 1.0);
        const double mean_dy = dbias[c] * part, slope = r * (dweight[c] * part);
        return [=](int64_t i) { return scale * ((dy[i] - mean_dy) - (x[i] - mu) * slope); };
      });
    });
  };
  if (weight) return run(std::true_type{});
  run(std::false_type{});
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
