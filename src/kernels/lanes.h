// Sums whose order depends on the length alone, and which are vectorized nevertheless.
//
// The compiler may not reorder the additions of a plain sum, so the order that suits vectors is written down:
// element i goes to lane i mod 32 (then 8, then the rest one by one), and the lanes are added in a fixed
// tree. It is the same with AVX-512, AVX2, SSE2 and NEON. The lanes are an array and not one of simd.h's
// vector types: GCC 12 takes an operation on those apart before it is inlined into the function that may use
// 512 bits (3 times slower here).
#pragma once
#include <cstdint>

#include "kernels/simd.h"

namespace tapegrad::kernels {

/// The sum of term(i) over i in [0, n), in float64.
template <class Term>
inline double sum_of(int64_t n, Term term) {
  double s[32] = {};
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    for (int k = 0; k < 32; ++k) s[k] += term(i + k);
  }
  for (int k = 0; k < 16; ++k) s[k] += s[k + 16];
  for (int k = 0; k < 8; ++k) s[k] += s[k + 8];
  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; ++k) s[k] += term(i + k);
  }
  double rest = 0.0;
  for (; i < n; ++i) rest += term(i);
  return (((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]))) + rest;
}

}  // namespace tapegrad::kernels
