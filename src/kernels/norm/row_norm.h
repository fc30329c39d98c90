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
// 1e-6 in float32, whatever the values. A sum is a chain of additions that wait for each other, so four rows are
// measured side by side.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/vector/simd.h"

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

typedef float f32x16 __attribute__((vector_size(64)));
typedef float f32x8 __attribute__((vector_size(32)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x8 __attribute__((vector_size(64)));
typedef double f64x4 __attribute__((vector_size(32)));

/// Two sums of each of four rows.
template <class Four>
struct TwoSums {
  Four a, b;
};

/// The sums of the lanes of vectors: one by one, or of eight at once with a quarter of the shuffles, where
/// all of them go through the same halving. Both add in the same order.
template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  typedef f32x16 type;
  typedef f32x4 four;
  static float sum(f32x16 v) {
    const f32x8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    const f32x4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    return (b[0] + b[2]) + (b[1] + b[3]);
  }
  static TwoSums<f32x4> sums(const f32x16 (&a)[4], const f32x16 (&b)[4]) {
    const auto eights = [](f32x16 x, f32x16 y) {
      return __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
             __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    };
    const auto fours = [](f32x16 x, f32x16 y) {
      return __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
             __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    };
    const f32x16 x = fours(eights(a[0], a[1]), eights(a[2], a[3]));  // a[k] in lanes 4k to 4k + 3
    const f32x16 y = fours(eights(b[0], b[1]), eights(b[2], b[3]));
    const f32x16 twos =
        __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
        __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    const f32x16 ones =
        twos + __builtin_shufflevector(twos, twos, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return {__builtin_shufflevector(ones, ones, 0, 4, 8, 12),
            __builtin_shufflevector(ones, ones, 2, 6, 10, 14)};
  }
};
template <>
struct Lanes<double> {
  typedef f64x8 type;
  typedef f64x4 four;
  static double sum(f64x8 v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); }
  static TwoSums<f64x4> sums(const f64x8 (&a)[4], const f64x8 (&b)[4]) {
    return {f64x4{sum(a[0]), sum(a[1]), sum(a[2]), sum(a[3])},
            f64x4{sum(b[0]), sum(b[1]), sum(b[2]), sum(b[3])}};
  }
};
template <class T>
using Four = typename Lanes<T>::four;

/// Whether a comparison is true in all lanes.
template <class Mask>
inline bool all(Mask mask) {
  int64_t words[sizeof mask / 8], both = -1;
  store(words, mask);
  for (int64_t word : words) both &= word;
  return both == -1;
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

/// Two sums over i < n for each of R rows, R at most 4. term(at, a, b) sets a[k] and b[k] for row k from
/// at(pointer), which is a number or a vector of them: written once for either.
template <class T, int R, class Term>
inline TwoSums<Four<T>> two_sums(int64_t n, Term term) {
  using V = typename Lanes<T>::type;
  constexpr int64_t kLanes = sizeof(V) / sizeof(T), kBlock = 256;
  TwoSums<Four<T>> total{};
  int64_t i = 0;
  while (i + kLanes <= n) {
    V sum_a[R]{}, sum_b[R]{};
    const int64_t end = std::min(n, i + kBlock);
    for (; i + kLanes <= end; i += kLanes) {
      V a[R], b[R];
      term(At<V>{i}, a, b);
#pragma GCC unroll 4
      for (int k = 0; k < R; ++k) {
        sum_a[k] += a[k];
        sum_b[k] += b[k];
      }
    }
    if constexpr (R == 4) {
      const auto sums = Lanes<T>::sums(sum_a, sum_b);
      total.a += sums.a;
      total.b += sums.b;
    } else {
      for (int k = 0; k < R; ++k) {
        total.a[k] += Lanes<T>::sum(sum_a[k]);
        total.b[k] += Lanes<T>::sum(sum_b[k]);
      }
    }
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
template <class T>
inline void measure_rows(const RowList& list, int64_t n, MatrixRows<const T> values, RowNormOptions options,
                         MatrixRows<RowNorm<T>> norms) {
  using Four = detail::Four<T>;
  const T scale = T(1) / T(n), scale_of_mean = options.centered ? scale : T(0), epsilon = T(options.eps);
  detail::in_groups<4>(list.count, [&](auto group, int64_t first) {
    constexpr int R = group;
    const T* x[R];
    for (int k = 0; k < R; ++k) x[k] = values[list.rows[first + k]];
    const auto sums = detail::two_sums<T, R>(n, [&](auto at, auto& value, auto& square) {
#pragma GCC unroll 4
      for (int k = 0; k < R; ++k) {
        value[k] = at(x[k]);
        square[k] = value[k] * value[k];
      }
    });
    const Four mean = sums.a * scale_of_mean, variance = sums.b * scale - mean * mean;
    Four rstd;
    for (int k = 0; k < 4; ++k) rstd[k] = T(1) / std::sqrt(variance[k] + epsilon);
    const Four shift = mean * rstd;
    RowNorm<T> found[4];
    store(found, __builtin_shufflevector(shift, rstd, 0, 4, 1, 5, 2, 6, 3, 7));
    // Where it is not above 0, the mean is far, or the squares overflow (infinite, NaN) or underflow. A row of zeros is
    // right as it is.
    const Four left = 16 * variance - mean * mean;
    const auto right = (left > left * T(0)) | ((sums.a == T(0)) & (sums.b == T(0)));
    if (!detail::all(right)) [[unlikely]]
      for (int k = 0; k < R; ++k)
        if (!right[k]) found[k] = measure_exactly(n, x[k], options);
    for (int k = 0; k < R; ++k) *norms[list.rows[first + k]] = found[k];
  });
}

/// dx = rstd (g - mean(g) - xhat mean(g xhat)) for one row, from g = dy * gain: linear in g and x.
template <class T>
struct RowNormBackward {
  RowNormBackward() = default;
  RowNormBackward(const RowNorm<T>& norm, T rstd, T mean_g, T mean_g_xhat)
      : rstd(rstd), slope(-rstd * rstd * mean_g_xhat), offset(rstd * (norm.shift * mean_g_xhat - mean_g)) {}
  T operator()(T g, T x) const { return g * rstd + (x * slope + offset); }

  T rstd, slope, offset;
};

/// One N(x) gain: its rows, their moments, and the gradient of its gain.
template <class T>
struct NormInput {
  MatrixRows<const T> x;
  MatrixRows<RowNorm<T>> norms;
  const T* gain;
  T* dgain;
};

/// M norms backward, from one dy for all of them (D = 1) or one for each (D = M): calls use(row, backward)
/// with what gives dx of norm m in that row, backward[m], and adds dy xhat to the gradients of the gains. A
/// few rows are measured, then used while in cache.
template <int M, int D, class T, class Use>
inline void norm_rows_backward(const RowList& list, int64_t n, const NormInput<T> (&inputs)[M],
                               const MatrixRows<const T> (&grads)[D], RowNormOptions options, Use use) {
  const T scale = T(1) / T(n), scale_of_mean = options.centered ? scale : T(0);
  const T rstd_of_constant = T(1) / std::sqrt(T(options.eps));
  detail::in_groups<4 / M>(list.count, [&](auto group, int64_t first) {
    constexpr int R = group, K = M * R;
    const T *gain[M], *x[K], *dy[D * R];
    T* dgain[M];
    RowNorm<T> norm[K];
    for (int m = 0; m < M; ++m) {
      gain[m] = inputs[m].gain;
      dgain[m] = inputs[m].dgain;
      for (int k = 0; k < R; ++k) {
        const int64_t row = list.rows[first + k];
        x[m * R + k] = inputs[m].x[row];
        if (m < D) dy[m * R + k] = grads[m][row];
        norm[m * R + k] = *inputs[m].norms[row];
      }
    }
    const auto sums = detail::two_sums<T, K>(n, [&](auto at, auto& g, auto& g_xhat) {
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const auto w = at(gain[m]);
        auto dw = at(static_cast<const T*>(dgain[m]));
#pragma GCC unroll 4
        for (int k = 0; k < R; ++k) {
          const int i = m * R + k;
          const auto d = at(dy[D == 1 ? k : i]), d_xhat = d * norm[i](at(x[i]));
          g[i] = d * w;
          g_xhat[i] = d_xhat * w;
          dw += d_xhat;
        }
        at.put(dgain[m], dw);
      }
    });
    for (int k = 0; k < R; ++k) {
      RowNormBackward<T> backward[M];
      for (int m = 0; m < M; ++m) {
        const int i = m * R + k;
        const T rstd = norm[i].rstd == 0 ? rstd_of_constant : norm[i].rstd;
        backward[m] = {norm[i], rstd, sums.a[i] * scale_of_mean, sums.b[i] * scale};
      }
      use(list.rows[first + k], backward);
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
