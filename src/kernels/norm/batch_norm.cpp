// Batch normalization of [n, c, l]: each channel by the mean and variance of its m = n l elements. What it computes, and
// its gradient, is in src/ops/norm/batch_norm.cpp.
//
// One pass for the statistics. With d = x - pivot, pivot the channel's first element,
//
//   mu = pivot + (1/m) sum d      var = (1/m) sum d^2 - ((1/m) sum d)^2
//
// Numerics: float64 sums and differences, also for float32, whose differences they hold exactly but for
// exponents more than 29 apart. Taken about zero the subtraction in var would lose mu^2 / var of the digits;
// about an element of the channel it cannot lose more than a factor m of them, for no element is further from
// the mean than sqrt(m - 1) standard deviations (Samuelson 1968). So var is right to about m 2^-53: 5e-13 for
// a batch of 4096, and that only if the first element is all that varies; a constant channel has var = 0.
//
// Order. With l = 1 a channel is a column. Memory is read row by row, and each column is a lane of its own
// with its sums in arrays; rows are taken in groups, so that what belongs to a column is loaded once a group.
// Strips of columns that stay in the second cache between the passes would read memory fewer times, but the
// lines of rows 4096 bytes apart fall into 1 in 64 of that cache's sets, and copied together they still cost
// more than they save: forward and backward of 4096x1024 take 6.7 ms by strips of 32 and 4.9 by rows.
// Otherwise a channel is n spans of l.
//
// Source: Chan, Golub, LeVeque (1983), Algorithms for Computing the Sample Variance (shifted data).
#include <type_traits>

#include "kernels/loops/map.h"
#include "kernels/norm/norm.h"
#include "kernels/vector/constants.h"
#include "kernels/vector/lanes.h"
#include "kernels/vector/stream.h"

namespace tapegrad::kernels {

namespace {

/// Both sums += term(i, j) for the rows i of one group and the columns [begin, end).
template <int group, class Term>
inline void add_rows(int64_t begin, int64_t end, double* first, double* second, Term term) {
  TAPEGRAD_INDEPENDENT
  for (int64_t j = begin; j < end; ++j) {
    double s = 0.0, t = 0.0;
    for (int i = 0; i < group; ++i) {
      const Pair p = term(i, j);
      s += p.first;
      t += p.second;
    }
    first[j] += s;
    second[j] += t;
  }
}

/// Two sums over rows and positions of term(element, channel), a Pair, into first[channel], second[channel].
template <class Term>
inline void channel_sums(Channels block, double* first, double* second, Term term) {
  for (int64_t c = block.begin; c < block.end; ++c) first[c] = second[c] = 0.0;
  if (block.l == 1) {
    constexpr int group = 8;
    int64_t row = block.first;
    for (; row + group <= block.last; row += group)
      add_rows<group>(block.begin, block.end, first, second,
                      [=](int64_t i, int64_t j) { return term((row + i) * block.c + j, j); });
    for (; row < block.last; ++row)
      add_rows<1>(block.begin, block.end, first, second,
                  [=](int64_t, int64_t j) { return term(row * block.c + j, j); });
    return;
  }
  for (int64_t c = block.begin; c < block.end; ++c) {
    for (int64_t row = block.first; row < block.last; ++row) {
      const int64_t at = (row * block.c + c) * block.l;
      const Pair p = sums_of(block.l, [=](int64_t j) { return term(at + j, c); });
      first[c] += p.first;
      second[c] += p.second;
    }
  }
}

/// to[i * pitch + j] = f(begin + j)(element) for `group` rows from `row` and `width` columns from `begin`.
template <int group, class T, class F>
inline void map_rows(int64_t row, int64_t c, int64_t begin, int64_t width, T* to, int64_t pitch, F f) {
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < width; ++j) {
    const auto of_element = f(begin + j);
    for (int i = 0; i < group; ++i) to[i * pitch + j] = static_cast<T>(of_element((row + i) * c + begin + j));
  }
}

constexpr int64_t tile_width = 256;

/// The columns of `group` rows, tile by tile; past the caches through a buffer (stream.h).
template <int group, class T, class F>
inline void map_row_group(Channels block, int64_t row, T* to, bool streamed, F f) {
  alignas(64) T tile[group * tile_width];
  for (int64_t begin = block.begin; begin < block.end; begin += tile_width) {
    const int64_t width = block.end - begin < tile_width ? block.end - begin : tile_width;
    T* const out = to + row * block.c + begin;
    map_rows<group>(row, block.c, begin, width, streamed ? tile : out, streamed ? tile_width : block.c, f);
    if (!streamed) continue;
    for (int i = 0; i < group; ++i) stream(width, tile + i * tile_width, out + i * block.c);
  }
}

/// to[element] = f(channel)(element): f computes what is the same for the elements of a channel.
template <class T, class F>
inline void channel_map(Channels block, T* to, F f) {
  if (block.l == 1) {
    constexpr int group = 4;
    const bool streamed = is_streamed(to + block.begin, block.n, block.c);
    int64_t row = block.first;
    for (; row + group <= block.last; row += group) map_row_group<group>(block, row, to, streamed, f);
    for (; row < block.last; ++row) map_row_group<1>(block, row, to, streamed, f);
    if (streamed) stream_fence();
    return;
  }
  for (int64_t row = block.first; row < block.last; ++row) {
    for (int64_t c = block.begin; c < block.end; ++c) {
      const auto of_element = f(c);
      const int64_t at = (row * block.c + c) * block.l;
      TAPEGRAD_INDEPENDENT
      for (int64_t j = at; j < at + block.l; ++j) to[j] = static_cast<T>(of_element(j));
    }
  }
}

}  // namespace

template <class T>
void batch_norm_sums(Channels block, const T* x, double* sum, double* squares) {
  simd([=] {
    channel_sums(block, sum, squares, [=](int64_t i, int64_t c) {
      const double d = double{x[i]} - double{x[c * block.l]};
      return Pair{d, d * d};
    });
  });
}

template <class T>
void batch_norm_stats(Channels block, int64_t parts, const T* x, const double* sums, const double* squares,
                      double* mean, double* variance) {
  const double count = static_cast<double>(block.n) * static_cast<double>(block.l);
  add_channel_parts(block, parts, sums, mean);
  add_channel_parts(block, parts, squares, variance);
  for (int64_t c = block.begin; c < block.end; ++c) {
    const double shift = mean[c] / count;
    mean[c] = double{x[c * block.l]} + shift;
    // The first value is `shift` from the mean, so this is at least shift^2 / count, and never negative.
    variance[c] = variance[c] / count - shift * shift;
  }
}

template <class T>
void batch_norm_apply(Channels block, const T* x, const double* mean, const double* rstd, const T* weight,
                      const T* bias, bool relu, T* y) {
  const auto run = [=](auto has_weight, auto has_bias, auto rectified) {
    simd([=] {
      channel_map(block, y, [=](int64_t c) {
        const double mu = mean[c], scale = rstd[c] * (has_weight() ? double{weight[c]} : 1.0);
        const double shift = has_bias() ? double{bias[c]} : 0.0;
        return [=](int64_t i) {
          const double v = (x[i] - mu) * scale + shift;
          return rectified() && v <= 0 ? 0.0 : v;
        };
      });
    });
  };
  with_constants(run, weight, bias, relu);
}

// dy of what relu() made y of; where `rectified` is false, dy.
template <class Rectified, class T>
inline T rectified_gradient(Rectified rectified, const T* dy, const T* y, int64_t i) {
  const T g = dy[i];
  return rectified() && y[i] <= 0 ? T(0) : g;
}

template <class T>
void batch_norm_backward_sums(Channels block, const T* dy, const T* y, const T* x, const double* mean, double* sum_dyx,
                              double* sum_dy) {
  const auto run = [=](auto rectified) {
    simd([=] {
      channel_sums(block, sum_dyx, sum_dy, [=](int64_t i, int64_t c) {
        const double g = rectified_gradient(rectified, dy, y, i);
        return Pair{g * (x[i] - mean[c]), g};
      });
    });
  };
  with_constants(run, y);
}

template <class T>
void batch_norm_backward(Channels block, const T* dy, const T* y, const T* x, const double* mean, const double* rstd,
                         const T* weight, const double* dweight, const double* dbias, T* dx) {
  const double part = 1.0 / (static_cast<double>(block.n) * static_cast<double>(block.l));
  const auto run = [=](auto rectified, auto has_weight, auto of_batch) {
    simd([=] {
      channel_map(block, dx, [=](int64_t c) {
        const double mu = mean[c], r = rstd[c], scale = r * (has_weight() ? double{weight[c]} : 1.0);
        const double mean_dy = of_batch() ? dbias[c] * part : 0.0, slope = of_batch() ? r * (dweight[c] * part) : 0.0;
        return [=](int64_t i) {
          const double g = rectified_gradient(rectified, dy, y, i);
          return of_batch() ? scale * ((g - mean_dy) - (x[i] - mu) * slope) : scale * g;
        };
      });
    });
  };
  with_constants(run, y, weight, dweight);
}

template <class T>
void channel_gradient(Channels block, const T* dy, const T* x, const double* mean, const double* scale,
                      const double* slope, const double* shift, T* dx) {
  simd([=] {
    channel_map(block, dx, [=](int64_t c) {
      const double mu = mean[c], by_dy = scale[c], by_x = slope[c], constant = shift[c];
      return [=](int64_t i) { return (dy[i] * by_dy - constant) - (x[i] - mu) * by_x; };
    });
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                                                                     \
  template void batch_norm_sums(Channels, const T*, double*, double*);                                              \
  template void batch_norm_stats(Channels, int64_t, const T*, const double*, const double*, double*, double*);      \
  template void batch_norm_apply(Channels, const T*, const double*, const double*, const T*, const T*, bool, T*);   \
  template void batch_norm_backward_sums(Channels, const T*, const T*, const T*, const double*, double*, double*);  \
  template void batch_norm_backward(Channels, const T*, const T*, const T*, const double*, const double*, const T*, \
                                    const double*, const double*, T*);                                              \
  template void channel_gradient(Channels, const T*, const T*, const double*, const double*, const double*,         \
                                 const double*, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
