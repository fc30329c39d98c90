// Sums whose order depends on the length alone, and which are vectorized nevertheless.
//
// The compiler may not reorder the additions of a plain sum, so the order that suits vectors is written down:
// element i goes to lane i mod 32 (then 8, then the rest one by one), and the lanes are added in a fixed
// tree. It is the same with AVX-512, AVX2, SSE2 and NEON. The lanes are an array, which the compilers keep in
// vector registers: 32 float64 are eight of them with AVX2, and enough to hide the time that an addition takes.
// Two sums, whose terms need registers as well, have 16 lanes each. They are none of simd.h's vector types, which
// GCC 12 takes apart in a body that is inlined into the function with the wider instruction set
// (docs/kernels.md).
#pragma once
#include <cstdint>
#include <limits>

#include "kernels/vector/simd.h"

// Before a loop over at most 16 lanes: GCC would unroll it before it looks for vectors, and then find none.
#if defined(__GNUC__) && !defined(__clang__)
#define TAPEGRAD_LANES _Pragma("GCC unroll 1")
#else
#define TAPEGRAD_LANES
#endif

namespace tapegrad::kernels {

namespace detail {
inline double sum_of_8(const double* s) { return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7])); }
}  // namespace detail

/// The sum of term(i) over i in [0, n), in float64.
template <class Term>
inline double sum_of(int64_t n, Term term) {
  alignas(64) double s[32] = {};
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    for (int k = 0; k < 32; ++k) s[k] += term(i + k);
  }
  TAPEGRAD_LANES
  for (int k = 0; k < 8; ++k) s[k] = (s[k] + s[k + 8]) + (s[k + 16] + s[k + 24]);
  for (; i + 8 <= n; i += 8) {
    TAPEGRAD_LANES
    for (int k = 0; k < 8; ++k) s[k] += term(i + k);
  }
  double rest = 0.0;
  for (; i < n; ++i) rest += term(i);
  return detail::sum_of_8(s) + rest;
}

/// Two sums over the same elements, of what term(i) returns as a Pair.
struct Pair {
  double first, second;
};
template <class Term>
inline Pair sums_of(int64_t n, Term term) {
  alignas(64) double s[16] = {}, t[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    TAPEGRAD_LANES
    for (int k = 0; k < 16; ++k) {
      const Pair p = term(i + k);
      s[k] += p.first;
      t[k] += p.second;
    }
  }
  TAPEGRAD_LANES
  for (int k = 0; k < 8; ++k) {
    s[k] += s[k + 8];
    t[k] += t[k + 8];
  }
  if (i + 8 <= n) {
    TAPEGRAD_LANES
    for (int k = 0; k < 8; ++k) {
      const Pair p = term(i + k);
      s[k] += p.first;
      t[k] += p.second;
    }
    i += 8;
  }
  Pair rest{};
  for (; i < n; ++i) {
    const Pair p = term(i);
    rest.first += p.first;
    rest.second += p.second;
  }
  return {detail::sum_of_8(s) + rest.first, detail::sum_of_8(t) + rest.second};
}

/// The largest of d numbers, -inf where there are none. A NaN is passed over: it comes back through exp(x - max).
template <class T>
inline T row_max(int64_t d, const T* x) {
  constexpr int width = 32;
  T m[width];
  for (int k = 0; k < width; ++k) m[k] = -std::numeric_limits<T>::infinity();
  int64_t j = 0;
  for (; j + width <= d; j += width) {
    for (int k = 0; k < width; ++k) m[k] = x[j + k] > m[k] ? x[j + k] : m[k];
  }
  const auto larger = [](T a, T b) { return a > b ? a : b; };
  TAPEGRAD_LANES
  for (int k = 0; k < 8; ++k) m[k] = larger(larger(m[k], m[k + 8]), larger(m[k + 16], m[k + 24]));
  T largest = larger(larger(larger(m[0], m[4]), larger(m[1], m[5])), larger(larger(m[2], m[6]), larger(m[3], m[7])));
  for (; j < d; ++j) largest = x[j] > largest ? x[j] : largest;
  return largest;
}

}  // namespace tapegrad::kernels
