// The fused multiply-add of a CPU that has none, for exact mode.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/vector/simd.h"

namespace tapegrad::kernels {

/// a b + c, rounded once. The product of two float32 is exact in float64. Their sum with c is rounded to odd there (an
/// inexact result gets an odd last bit), after which the second rounding, to float32, cannot meet a tie that was none
/// (Boldo, Melquiond 2008, Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd).
inline float rounded_once(float a, float b, float c) {
  const double product = double{a} * double{b}, sum = product + double{c};
  const double of_c = sum - product, lost = (product - (sum - of_c)) + (double{c} - of_c);  // Knuth's exact error
  uint64_t bits = std::bit_cast<uint64_t>(sum);
  // Towards the exact value is one unit down in magnitude where what was lost has the other sign.
  if ((lost > 0 || lost < 0) && bits % 2 == 0) bits += (lost > 0) == (sum > 0) ? 1 : -1;
  return static_cast<float>(std::bit_cast<double>(bits));
}
inline double rounded_once(double a, double b, double c) { return std::fma(a, b, c); }

struct Exact : Baseline {
  static constexpr bool computes_fma = true;
};

/// simd() for a body of products, which are fused in exact mode too. What has no instruction for it is computed: the
/// plain instruction set of x86, and all that a compiler makes which is told not to optimize, or Clang for debugging: the
/// checks of a sanitizer stand between a multiplication and its addition then.
template <class F>
inline void simd_of_product(F body) {
#if !defined(__OPTIMIZE__) || (defined(__clang__) && !defined(NDEBUG))
  if (is_exact()) return detail::run_as<Exact>(body);
#elif defined(TAPEGRAD_X86)
  if (is_exact() && isa() == Isa::baseline) return detail::run_as<Exact>(body);
#endif
  simd_fused(body);
}

}  // namespace tapegrad::kernels
