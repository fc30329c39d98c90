// exp, expm1, log, log1p, tanh, sigmoid and erf, written so that a plain loop over them is vectorized. They have the same
// bits on every CPU: nothing is fused (-ffp-contract=off), and no function of the C library is called for float.
//
// Each float function is straight-line code: a range reduction, a polynomial, and selects instead of
// branches, so the compiler can run it on every lane at once (see simd.h). The polynomials are minimax fits,
// found with the Remez exchange algorithm in 40 digits and rounded to float; the interval of each is stated
// beside it.
//
// Largest error over all 2^32 floats in units in the last place of the correctly rounded result
// (bench/ulp.cpp):
//
//            avx512   baseline (no fused multiply-add)
//   exp        1.02     0.99
//   expm1      1.46     1.52
//   log        0.82     0.89
//   log1p      1.42     1.45
//   tanh       1.34     1.34
//   sigmoid    1.97     1.97
//   erf        1.16     1.35
//
// NaN in is NaN out; overflow gives inf, underflow is gradual through the subnormal numbers to 0.
// float64 is the precision of gradient checks, where accuracy matters more than speed: it takes the C
// library's, but for log and the cosine under normal random numbers, on which float32 programs depend too.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace tapegrad::kernels::math {

namespace detail {

/// 2^n for -126 <= n <= 127, made from its bits.
inline float power_of_two(int32_t n) { return std::bit_cast<float>((n + 127) << 23); }

/// x = n ln 2 + r with |r| <= ln(2)/2, so that e^x = 2^n e^r. Needs |x| < 2^21 ln 2.
struct Reduced {
  float r;
  int32_t n;
};
inline Reduced reduce(float x) {
  constexpr float round = 12582912.0f;  // 1.5 * 2^23: added to a float, it leaves no bit for a fraction
  const float shifted = x * 1.44269504f + round;
  const float n = shifted - round;
  // ln 2 in two parts; the first has so few bits that its product with n is exact.
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  return {r, static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(round))};
}

/// e^r - 1 for |r| <= ln(2)/2, relative error of the fit 3e-9.
inline float expm1_reduced(float r) {
  float q = 1.381446724e-03f;
  q = q * r + 8.368780836e-03f;
  q = q * r + 4.166839272e-02f;
  q = q * r + 1.666651964e-01f;
  q = q * r + 4.999999404e-01f;
  return r + r * r * q;
}

/// ln(1 + f) for sqrt(1/2) - 1 <= f <= sqrt(2) - 1, relative error of the fit 6e-9.
inline float log1p_reduced(float f) {
  float p = -7.634500414e-02f;
  p = p * f + 1.276157796e-01f;
  p = p * f + -1.316018105e-01f;
  p = p * f + 1.420175731e-01f;
  p = p * f + -1.662335694e-01f;
  p = p * f + 2.000122666e-01f;
  p = p * f + -2.500081956e-01f;
  p = p * f + 3.333333135e-01f;
  return f * f * f * p - 0.5f * f * f;  // what is to be added to f: the caller adds the largest term last
}

/// The k for which 2^-k x lies between sqrt(1/2) and sqrt(2); x positive and normal.
inline int32_t exponent(float x) {
  return static_cast<int32_t>(std::bit_cast<uint32_t>(x) - std::bit_cast<uint32_t>(0.707106781f)) >> 23;
}

inline constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
inline constexpr float infinity = std::numeric_limits<float>::infinity();

/// y where ln(x) is finite, else its limit: -inf at 0, inf at inf, NaN below 0 and for NaN.
inline float log_limits(float x, float y) {
  y = x < infinity ? y : x;
  y = x > 0.0f ? y : std::numeric_limits<float>::quiet_NaN();
  return x == 0.0f ? -infinity : y;
}

}  // namespace detail

inline float exp(float x) {
  // Beyond these the result is inf or 0 anyway. Written so that NaN passes both comparisons.
  x = x > 89.0f ? 89.0f : x;
  x = x < -105.0f ? -105.0f : x;
  const auto [r, n] = detail::reduce(x);
  const int32_t half = n >> 1;  // 2^n itself may be no normal number: scale twice
  return (1.0f + detail::expm1_reduced(r)) * detail::power_of_two(half) * detail::power_of_two(n - half);
}

inline float expm1(float x) {
  x = x > 89.0f ? 89.0f : x;
  const float a = x < -18.0f ? -18.0f : x;  // e^-18 is less than half a unit in the last place of 1
  const auto [r, n] = detail::reduce(a);
  // 2^n (e^r - 1) + (2^n - 1), all halved since 2^128 is no float; n = 0 leaves the polynomial as it is
  const float scale = detail::power_of_two(n - 1);
  const float y = 2.0f * (scale * detail::expm1_reduced(r) + (scale - 0.5f));
  return n == 0 ? detail::expm1_reduced(r) : y;
}

inline float log(float x) {
  const bool subnormal = x < std::numeric_limits<float>::min();
  const float a = subnormal ? x * 8388608.0f : x;  // 2^23
  const int32_t k = detail::exponent(a);
  const float f = std::bit_cast<float>(std::bit_cast<uint32_t>(a) - (static_cast<uint32_t>(k) << 23)) - 1.0f;
  const float n = static_cast<float>(subnormal ? k - 23 : k);
  const float y = (n * detail::ln2_low + detail::log1p_reduced(f)) + f + n * detail::ln2_high;
  return detail::log_limits(x, y);
}

inline float log1p(float x) {
  // The rounding error of u = 1 + x is known exactly; it goes back into the reduced argument.
  const float u = 1.0f + x;
  const float lost = x < 1.0f ? x - (u - 1.0f) : 1.0f - (u - x);
  const int32_t k = detail::exponent(u);
  const float scaled = std::bit_cast<float>(std::bit_cast<uint32_t>(u) - (static_cast<uint32_t>(k) << 23));
  const float f = (scaled - 1.0f) + lost * detail::power_of_two(k > 25 ? -25 : -k);
  const float n = static_cast<float>(k);
  const float y = (n * detail::ln2_low + detail::log1p_reduced(f)) + f + n * detail::ln2_high;
  return detail::log_limits(u, y);
}

inline float sigmoid(float x) {
  // e^-|x| cannot overflow: 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below.
  const float e = exp(-std::fabs(x));
  const float d = 1.0f + e;
  const float y = (x < 0.0f ? e : 1.0f) / d;
  const float lost = e - (d - 1.0f);  // by rounding d; without the correction by lost / d the error is 2.3 units
  return y - y * lost * (x < 0.0f ? 1.0f - y : y);
}

inline float tanh(float x) {
  float a = std::fabs(x);
  a = a > 10.0f ? 10.0f : a;  // tanh(10) rounds to 1
  const float u = a * a;
  // |x| < 0.625: an odd polynomial, relative error of the fit 4e-9
  float p = -5.717045628e-03f;
  p = p * u + 2.065058798e-02f;
  p = p * u + -5.374349654e-02f;
  p = p * u + 1.333149076e-01f;
  p = p * u + -3.333328366e-01f;
  const float small = a + a * u * p;
  // else 1 - 2 / (e^2a + 1): the subtrahend is below 0.45, and so counts for less than half of its own error
  const auto [r, n] = detail::reduce(2.0f * a);
  const float e = (1.0f + detail::expm1_reduced(r)) * detail::power_of_two(n);
  const float large = 1.0f - 2.0f / (e + 1.0f);
  return std::copysign(a < 0.625f ? small : large, x);
}

inline float erf(float x) {
  float a = std::fabs(x);
  a = a > 4.0f ? 4.0f : a;  // erf(4) rounds to 1
  const float u = a * a;
  // |x| < 0.9: erf(x)/x - 1, relative error of the fit 1e-8
  float p = -6.111294497e-04f;
  p = p * u + 5.016228650e-03f;
  p = p * u + -2.678195760e-02f;
  p = p * u + 1.128223017e-01f;
  p = p * u + -3.761253357e-01f;
  p = p * u + 1.283791512e-01f;
  const float small = a + a * p;
  // else 1 - e^-q, with q(a) = -ln(1 - erf(a)) fitted on [0.9, 4], error in erf 2e-9
  float q = -1.982195827e-04f;
  q = q * a + 3.065489698e-03f;
  q = q * a + -2.231520973e-02f;
  q = q * a + 1.041136757e-01f;
  q = q * a + 6.369760633e-01f;
  q = q * a + 1.127797246e+00f;
  q = q * a + 1.664484007e-04f;
  const auto [r, n] = detail::reduce(-q);
  const float large = 1.0f - (1.0f + detail::expm1_reduced(r)) * detail::power_of_two(n);
  return std::copysign(a < 0.9f ? small : large, x);
}

inline double exp(double x) { return std::exp(x); }
inline double expm1(double x) { return std::expm1(x); }
/// With x = 2^k (1 + f) and s = f / (2 + f):  ln(1 + f) = 2 atanh(s) = f - f^2 / 2 + s (f^2 / 2 + R),
/// R = s^2 (2/3 + s^2 (2/5 + ...)), where |s| < 0.172 and the first term left out is below 2^-60. Error below one unit in
/// the last place.
inline double log(double x) {
  if (!(x > 0) || x == std::numeric_limits<double>::infinity()) return std::log(x);
  int k = 0;
  double m = std::frexp(x, &k);  // in [1/2, 1)
  if (m < 0.70710678118654752) {
    m *= 2;
    --k;
  }
  const double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
  double r = 0;
  for (int n = 23; n >= 3; n -= 2) r = z * (2.0 / n + r);
  const double ln2_high = 0x1.62e42feep-1,
               ln2_low = 0x1.a39ef35793c76p-33;  // k times the first part is exact
  return k * ln2_high - ((half - (s * (half + r) + k * ln2_low)) - f);
}
/// cos(2 pi turn / 2^32). The quadrant is taken from the bits, the rest, at most pi / 4, goes to the Taylor series.
inline double cos_of_turn(uint32_t turn) {
  const uint32_t quadrant = (turn + (1u << 29)) >> 30;
  const double angle = static_cast<int32_t>(turn - (quadrant << 30)) * (std::numbers::pi * 0x1p-31);
  const double square = angle * angle;
  const bool is_sine = quadrant % 2 != 0;
  double sum = 1;
  for (int n = is_sine ? 19 : 18; n > 1; n -= 2) sum = 1 - square / (n * (n - 1)) * sum;
  if (is_sine) sum *= angle;
  return quadrant % 4 == 1 || quadrant % 4 == 2 ? -sum : sum;
}
inline double log1p(double x) { return std::log1p(x); }
inline double tanh(double x) { return std::tanh(x); }
inline double erf(double x) { return std::erf(x); }
inline double sigmoid(double x) {
  const double e = std::exp(-std::fabs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

}  // namespace tapegrad::kernels::math
