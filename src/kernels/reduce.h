// Reductions over the middle dimension of a contiguous [outer, n, inner]. Sums are float64, in an order that
// depends on the shape alone; NaN goes through max and min.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/lanes.h"
#include "kernels/map.h"

namespace tapegrad::kernels {

/// y[o, i] = sum over j of term(x[o, j, i]) / divisor, as float64. Columns are added row by row, each in its
/// own lane.
template <class T, class U, class Term>
void sum_terms(int64_t outer, int64_t n, int64_t inner, const T* x, U* y, Term term, double divisor = 1) {
  simd([=] {
    for (int64_t o = 0; o < outer; ++o) {
      const T* block = x + o * n * inner;
      if (inner == 1) {
        y[o] = static_cast<U>(sum_of(n, [=](int64_t j) { return term(double{block[j]}); }) / divisor);
        continue;
      }
      constexpr int64_t strip = 64;
      for (int64_t i0 = 0; i0 < inner; i0 += strip) {
        const int64_t width = inner - i0 < strip ? inner - i0 : strip;
        double s[strip] = {};
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t k = 0; k < width; ++k) s[k] += term(double{block[j * inner + i0 + k]});
        }
        for (int64_t k = 0; k < width; ++k) y[o * inner + i0 + k] = static_cast<U>(s[k] / divisor);
      }
    }
  });
}

/// y[o, i] = sum over j of x[o, j, i] / divisor; 0 / divisor where n = 0.
template <class T, class U>
void sum(int64_t outer, int64_t n, int64_t inner, const T* x, U* y, double divisor = 1) {
  sum_terms(
      outer, n, inner, x, y, [](double v) { return v; }, divisor);
}

/// The index and value of the first element that none is better than; the first NaN is better than all. n >
/// 0.
template <class T, class Better>
void best(int64_t outer, int64_t n, int64_t inner, const T* x, T* y, int64_t* index, Better better) {
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      const T* from = x + o * n * inner + i;
      int64_t at = 0;
      for (int64_t j = 1; j < n && !std::isnan(from[at * inner]); ++j) {
        if (better(from[j * inner], from[at * inner]) || std::isnan(from[j * inner])) at = j;
      }
      if (y) y[o * inner + i] = from[at * inner];
      if (index) index[o * inner + i] = at;
    }
  }
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
