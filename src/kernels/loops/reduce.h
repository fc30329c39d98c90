// Reductions over the middle dimension of a contiguous [outer, n, inner]. Sums are float64, in an order that
// depends on the shape alone; NaN goes through max and min.
#pragma once
#include <cstdint>

#include "kernels/loops/map.h"
#include "kernels/vector/lanes.h"

namespace tapegrad::kernels {

namespace detail {

/// f(first, width) for strips of at most `strip` columns.
template <int64_t strip, class F>
inline void in_strips(int64_t inner, F f) {
  for (int64_t i = 0; i < inner; i += strip) f(i, inner - i < strip ? inner - i : strip);
}

/// result[i] = add(result[i], x[j, i]) for all rows j and i < width. Rows are read in the order of memory,
/// each column is a lane of its own, and result is loaded and stored once for four rows.
template <class T, class R, class Add>
inline void fold_columns(int64_t n, int64_t inner, int64_t width, const T* x, R* result, Add add) {
  int64_t j = 0;
  for (; j + 4 <= n; j += 4, x += 4 * inner) {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < width; ++i) {
      R r = result[i];
      for (int k = 0; k < 4; ++k) r = add(r, x[k * inner + i]);
      result[i] = r;
    }
  }
  for (; j < n; ++j, x += inner) {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < width; ++i) result[i] = add(result[i], x[i]);
  }
}

}  // namespace detail

/// y[o, i] = sum over j of term(x[o, j, i]) / divisor, as float64.
template <class T, class U, class Term>
void sum_terms(int64_t outer, int64_t n, int64_t inner, const T* x, U* y, Term term, double divisor = 1) {
  simd([=] {
    for (int64_t o = 0; o < outer; ++o) {
      const T* block = x + o * n * inner;
      if (inner == 1) {
        y[o] = static_cast<U>(sum_of(n, [=](int64_t j) { return term(double{block[j]}); }) / divisor);
        continue;
      }
      constexpr int64_t strip = 1024;  // 8 KiB of sums, and a whole page of a row of float
      detail::in_strips<strip>(inner, [=](int64_t first, int64_t width) {
        double s[strip];
        for (int64_t i = 0; i < width; ++i) s[i] = 0.0;
        detail::fold_columns(n, inner, width, block + first, s, [=](double sum, T v) { return sum + term(double{v}); });
        for (int64_t i = 0; i < width; ++i) y[o * inner + first + i] = static_cast<U>(s[i] / divisor);
      });
    }
  });
}

/// y[o, i] = sum over j of x[o, j, i] / divisor; 0 / divisor where n = 0.
template <class T, class U>
void sum(int64_t outer, int64_t n, int64_t inner, const T* x, U* y, double divisor = 1) {
  sum_terms(
      outer, n, inner, x, y, [](double v) { return v; }, divisor);
}

namespace detail {

/// The value that none is better than, or NaN if there is one. A NaN is not better by any comparison and
/// stays once it is taken: it is the one value that differs from itself.
template <class T, class Better>
inline T choose(T best, T v, Better better) {
  return better(v, best) || v != v ? (best == best ? v : best) : best;
}

}  // namespace detail

/// The value and index of the first element that none is better than; the first NaN is better than all. n >
/// 0; either output may be null. The values are found with vectors, and then where they stand.
template <class T, class Better>
void best(int64_t outer, int64_t n, int64_t inner, const T* x, T* y, int64_t* index, Better better) {
  simd([=] {
    constexpr int64_t strip = 256;
    const auto take = [=](T best, T v) { return detail::choose(best, v, better); };
    const auto found = [](T v, T wanted) { return v == wanted || (v != v && wanted != wanted); };
    for (int64_t o = 0; o < outer; ++o) {
      const T* block = x + o * n * inner;
      if (inner == 1) {
        T lane[32];
        for (int k = 0; k < 32; ++k) lane[k] = block[0];
        detail::fold_columns(n / 32, 32, 32, block, lane, take);
        T top = block[0];
        for (int k = 0; k < 32; ++k) top = take(top, lane[k]);
        for (int64_t j = n / 32 * 32; j < n; ++j) top = take(top, block[j]);
        int64_t at = 0;
        while (index && !found(block[at], top)) ++at;
        if (y) y[o] = index ? block[at] : top;  // 0 and -0 are equal: the first of them
        if (index) index[o] = at;
        continue;
      }
      detail::in_strips<strip>(inner, [=](int64_t first, int64_t width) {
        T top[strip];
        for (int64_t i = 0; i < width; ++i) top[i] = block[first + i];
        detail::fold_columns(n, inner, width, block + first, top, take);
        if (y) {
          for (int64_t i = 0; i < width; ++i) y[o * inner + first + i] = top[i];
        }
        if (!index) return;
        int64_t* at = index + o * inner + first;
        for (int64_t i = 0; i < width; ++i) at[i] = n;
        for (int64_t j = 0; j < n; ++j) {
          const T* row = block + j * inner + first;
          TAPEGRAD_INDEPENDENT
          for (int64_t i = 0; i < width; ++i) at[i] = at[i] == n && found(row[i], top[i]) ? j : at[i];
        }
      });
    }
  });
}

/// Largest elements and where they stand; either output may be null.
template <class T>
void max(int64_t outer, int64_t n, int64_t inner, const T* x, T* y, int64_t* index) {
  best(outer, n, inner, x, y, index, [](T a, T b) { return a > b; });
}
template <class T>
void min(int64_t outer, int64_t n, int64_t inner, const T* x, T* y, int64_t* index) {
  best(outer, n, inner, x, y, index, [](T a, T b) { return a < b; });
}

/// Sum of squares in float64; it is finite exactly if all of a float32 span is.
template <class T>
double sum_of_squares(int64_t n, const T* x) {
  double result = 0.0;
  double* to = &result;
  simd([=] { *to = sum_of(n, [=](int64_t i) { return double{x[i]} * x[i]; }); });
  return result;
}

}  // namespace tapegrad::kernels
