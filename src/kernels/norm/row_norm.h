// Normalization of short rows that are in cache, inside a larger loop: what recurrent cells do at every step.
//
//   xhat = x * rstd - shift,    shift = mean * rstd
//
// is one multiply-add. Its error is that of rounding the shift, |mean| / std units in the last place: as much
// as x itself, a float32 product, is off.
//
// One pass over a row gives both moments, about 0, in T; sums run over 256 elements at the most before they are
// added up. The subtraction var = E[x^2] - E[x]^2 loses a factor mean^2 / var: a row where that is above 16, or
// whose squares overflow, is rare and measured again in two passes in float64. So the variance is right to about
// 1e-6 in float32, whatever the values. A sum is a chain of additions that wait for each other, so some rows are
// measured side by side.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/loops/map.h"
#include "kernels/vector/shuffle.h"

namespace tapegrad::kernels {

/// {0, 0} stands for a constant row: its xhat is exactly 0, where the product of a large x and 1 / sqrt(eps) would be
/// rounded. What goes backward takes its rstd to be 1 / sqrt(eps).
template <class T>
struct RowNorm {
  T shift, rstd;
  template <class V>
  V operator()(V x) const {
    return x * rstd - shift;
  }
};

struct RowNormOptions {
  bool centered;  // layer normalization; RMS is about 0
  double eps;
};

/// Where rows of a matrix lie, each `stride` elements behind the one before.
template <class T>
struct MatrixRows {
  T* first;
  int64_t stride;
  T* operator[](int64_t row) const { return first + row * stride; }
  MatrixRows from(int64_t column) const { return {first + column, stride}; }
  operator MatrixRows<const T>() const requires(!std::is_const_v<T>) { return {first, stride}; }
};

/// Some of the rows of a matrix, by their numbers.
struct RowList {
  const int64_t* rows;
  int64_t count;
  const int64_t* begin() const { return rows; }
  const int64_t* end() const { return rows + count; }
};

namespace detail {

/// 64 bytes of T as vectors of the instruction set: 16 lanes of float32, so many on every CPU, that a sum has the same
/// order of additions on all of them.
template <class I, class T>
struct Lanes {
  using V = Vector<I, T>;
  static constexpr int64_t count = 64 / sizeof(T), parts = 64 / I::bytes;
  V part[parts]{};
};

/// The lanes folded in halves to 16 bytes.
template <class I, class T>
inline Vector<Baseline, T> folded(const Lanes<I, T>& lanes) {
  if constexpr (Lanes<I, T>::parts == 4)
    return (lanes.part[0] + lanes.part[2]) + (lanes.part[1] + lanes.part[3]);
  else if constexpr (Lanes<I, T>::parts == 2)
    return halved(lanes.part[0] + lanes.part[1]);
  else
    return halved(halved(lanes.part[0]));
}

/// sums[k] += the sum of all lanes of lanes[k].
template <class I, class T, int n>
inline void add_sums(const Lanes<I, T> (&lanes)[n], T (&sums)[n]) {
  using W = Vector<Baseline, T>;
  constexpr int at_once = 16 / sizeof(T);
#pragma GCC unroll 4
  for (int first = 0; first < n; first += at_once) {
    W rows[at_once]{};
#pragma GCC unroll 4
    for (int k = 0; k < at_once; ++k)
      if (first + k < n) rows[k] = folded(lanes[first + k]);
    const W sum = sums_of_vectors(rows);
#pragma GCC unroll 4
    for (int k = 0; k < at_once; ++k)
      if (first + k < n) sums[first + k] += sum[k];
  }
}

/// Reads from[i], as one number or as a vector of the numbers from i on.
template <class V>
struct At {
  int64_t i;
  template <class T>
  V operator()(const T* from) const {
    return load<V>(from + i);
  }
  template <class T>
  void put(T* to, V value) const {
    store(to + i, value);
  }
};

/// Two sums of each of R rows.
template <class T, int R>
struct TwoSums {
  T a[R]{}, b[R]{};
};

/// How many rows are summed up side by side: their sums, two a row, fill half of the registers.
template <class I>
constexpr int rows_at_once = I::bytes / 16;

/// Two sums over i < n for each of R rows. term(at, a, b) sets a[k] and b[k] for row k from at(pointer), which is a
/// number or a vector of them: written once for either.
template <class I, class T, int R, class Term>
inline TwoSums<T, R> two_sums(int64_t n, Term term) {
  using L = Lanes<I, T>;
  using V = typename L::V;
  constexpr int64_t block = 256;
  TwoSums<T, R> total;
  int64_t i = 0;
  while (i + L::count <= n) {
    L sum_a[R], sum_b[R];
    const int64_t end = std::min(n, i + block);
    for (; i + L::count <= end; i += L::count) {
#pragma GCC unroll 4
      for (int64_t part = 0; part < L::parts; ++part) {
        V a[R], b[R];
        term(At<V>{i + part * lanes<I, T>}, a, b);
#pragma GCC unroll 4
        for (int k = 0; k < R; ++k) {
          sum_a[k].part[part] += a[k];
          sum_b[k].part[part] += b[k];
        }
      }
    }
    add_sums(sum_a, total.a);
    add_sums(sum_b, total.b);
  }
  for (; i < n; ++i) {
    T a[R], b[R];
    term(At<T>{i}, a, b);
    for (int k = 0; k < R; ++k) {
      total.a[k] += a[k];
      total.b[k] += b[k];
    }
  }
  return total;
}

/// Calls group(R, k) for the rows k to k + R - 1 of a list, R = Most and then 1, as a constant.
template <int Most, class Group>
inline void in_groups(int64_t count, Group group) {
  int64_t k = 0;
  for (; k + Most <= count; k += Most) group(std::integral_constant<int, Most>(), k);
  if constexpr (Most > 1)
    for (; k < count; ++k) group(std::integral_constant<int, 1>(), k);
}

}  // namespace detail

/// The moments of one row by the definition, about its first element: the differences of a constant row are 0,
/// and so is its xhat. Kept out of the loops, whose registers it would take.
template <class T>
[[gnu::noinline, gnu::cold]] RowNorm<T> measure_exactly(int64_t n, const T* x, RowNormOptions options) {
  const double first = options.centered ? double(x[0]) : 0;
  double sum = 0, sum_of_squares = 0;
  for (int64_t j = 0; j < n; ++j) sum += double(x[j]) - first;
  const double mean = options.centered ? sum / double(n) : 0;
  for (int64_t j = 0; j < n; ++j) {
    const double difference = double(x[j]) - first - mean;
    sum_of_squares += difference * difference;
  }
  if (sum_of_squares == 0) return {0, 0};
  const double rstd = 1 / std::sqrt(sum_of_squares / double(n) + options.eps);
  return {T((first + mean) * rstd), T(rstd)};
}

/// norms = the moments of n values of each row.
template <class I, class T>
inline void measure_rows(const RowList& list, int64_t n, MatrixRows<const T> values, RowNormOptions options,
                         MatrixRows<RowNorm<T>> norms) {
  const T scale = T(1) / T(n), scale_of_mean = options.centered ? scale : T(0), epsilon = T(options.eps);
  detail::in_groups<detail::rows_at_once<I>>(list.count, [&](auto group, int64_t first) {
    constexpr int R = group;
    const T* x[R];
    for (int k = 0; k < R; ++k) x[k] = values[list.rows[first + k]];
    const auto sums = detail::two_sums<I, T, R>(n, [&](auto at, auto& value, auto& square) {
#pragma GCC unroll 4
      for (int k = 0; k < R; ++k) {
        value[k] = at(x[k]);
        square[k] = value[k] * value[k];
      }
    });
    T shift[R], rstd[R], left[R];
    for (int k = 0; k < R; ++k) {
      const T mean = sums.a[k] * scale_of_mean, variance = sums.b[k] * scale - mean * mean;
      rstd[k] = T(1) / std::sqrt(variance + epsilon);
      shift[k] = mean * rstd[k];
      left[k] = 16 * variance - mean * mean;
    }
    for (int k = 0; k < R; ++k) {
      RowNorm<T>& norm = *norms[list.rows[first + k]];
      norm = {shift[k], rstd[k]};
      // Where it is not above 0, the mean is far, or the squares overflow (infinite, NaN) or underflow. A row of zeros
      // is right as it is.
      const bool right = left[k] > left[k] * T(0) || (sums.a[k] == T(0) && sums.b[k] == T(0));
      if (!right) [[unlikely]]
        norm = measure_exactly(n, x[k], options);
    }
  });
}

/// What N(x) gain is made of: the rows of x, their moments, the gain and the gradient of the gain.
template <class T>
struct NormInput {
  MatrixRows<const T> x;
  MatrixRows<RowNorm<T>> norms;
  const T* gain;
  T* dgain;
};

/// dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy gain, and dgain += dy xhat; dx may be dy. Some rows are
/// measured, then used while in cache.
template <class I, class T>
inline void norm_rows_backward(const RowList& list, int64_t n, const NormInput<T>& input, MatrixRows<const T> grads,
                               MatrixRows<T> to, RowNormOptions options) {
  const T scale = T(1) / T(n), scale_of_mean = options.centered ? scale : T(0);
  const T rstd_of_constant = T(1) / std::sqrt(T(options.eps));
  const T* gain = input.gain;
  T* dgain = input.dgain;
  constexpr int at_once = std::max(1, detail::rows_at_once<I> * I::registers / 32);
  detail::in_groups<at_once>(list.count, [&](auto group, int64_t first) {
    constexpr int R = group;
    const T *x[R], *dy[R];
    T* dx[R];
    RowNorm<T> norm[R];
    for (int k = 0; k < R; ++k) {
      const int64_t row = list.rows[first + k];
      x[k] = input.x[row];
      dy[k] = grads[row];
      dx[k] = to[row];
      norm[k] = *input.norms[row];
    }
    const auto sums = detail::two_sums<I, T, R>(n, [&](auto at, auto& g, auto& g_xhat) {
      const auto w = at(gain);
      auto dw = at(static_cast<const T*>(dgain));
#pragma GCC unroll 4
      for (int k = 0; k < R; ++k) {
        const auto d = at(dy[k]), d_xhat = d * norm[k](at(x[k]));
        g[k] = d * w;
        g_xhat[k] = d_xhat * w;
        dw += d_xhat;
      }
      at.put(dgain, dw);
    });
    for (int k = 0; k < R; ++k) {  // dx is linear in g and x
      const T rstd = norm[k].rstd == 0 ? rstd_of_constant : norm[k].rstd;
      const T mean_g = sums.a[k] * scale_of_mean, mean_g_xhat = sums.b[k] * scale;
      const T slope = -rstd * rstd * mean_g_xhat, offset = rstd * (norm[k].shift * mean_g_xhat - mean_g);
      const T *from = x[k], *d = dy[k];
      T* out = dx[k];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) out[j] = d[j] * gain[j] * rstd + (from[j] * slope + offset);
    }
  });
}

/// sums[j] += the sum of row[j] over the rows of the list.
template <class T>
inline void add_rows(const RowList& list, int64_t n, MatrixRows<const T> values, T* sums) {
  detail::in_groups<4>(list.count, [&](auto group, int64_t first) {
    constexpr int R = group;
    const T* x[R];
    for (int k = 0; k < R; ++k) x[k] = values[list.rows[first + k]];
    for (int64_t j = 0; j < n; ++j) {
      T sum = x[0][j];
      for (int k = 1; k < R; ++k) sum += x[k][j];
      sums[j] += sum;
    }
  });
}

}  // namespace tapegrad::kernels
