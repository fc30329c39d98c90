// y = x P(x), with P(x) = (1 + erf(x / sqrt 2)) / 2 the normal distribution function.
//   dx = dy (P(x) + x p(x)), p(x) = exp(-x^2 / 2) / sqrt(2 pi), the density
//
// The approximation replaces P by (1 + tanh u) / 2 = sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3):
//   dx = dy (s + x s (1 - s) v),   s = sigmoid(2u),   v = 2 du/dx = 2 sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
//
// x is saved.
// Source: Hendrycks and Gimpel 2016, "Gaussian error linear units", arXiv:1606.08415, section 2.
#include <numbers>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

constexpr double kInverseSqrt2 = 1 / std::numbers::sqrt2;
constexpr double kInverseSqrt2Pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
constexpr double kSlope = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // 2 sqrt(2 / pi)
constexpr double kCubic = 0.044715;

// sigmoid(2u)
constexpr auto approximate = [](auto x) {
  return sigmoid((x + x * x * x * constant(x, kCubic)) * constant(x, kSlope));
};
constexpr auto exact = [](auto x) { return (erf(x * constant(x, kInverseSqrt2)) + 1) * constant(x, 0.5); };

}  // namespace

Tensor gelu(const Tensor& x, GeluOptions options) {
  if (options.approximate)
    return unary(
        "gelu", x, [](auto x) { return x * approximate(x); }, Save::x,
        [](auto dy, auto x) {
          const auto s = approximate(x);
          const auto v = (x * x * constant(x, 3 * kCubic) + 1) * constant(x, kSlope);
          return dy * (s + x * (s * (1 - s)) * v);
        },
        {{"approximate", true}});
  return unary(
      "gelu", x, [](auto x) { return x * exact(x); }, Save::x,
      [](auto dy, auto x) {
        const auto p = exp(x * x * constant(x, -0.5)) * constant(x, kInverseSqrt2Pi);
        return dy * (exact(x) + x * p);
      },
      {{"approximate", false}});
}

}  // namespace tapegrad
