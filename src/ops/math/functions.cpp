// Functions of one number with their derivatives, as in ops/math.h. Saved is what the derivative is made of: y, or x.
// sin, cos and log2 are the C library's, one number at a time, in float32 too: exact for large x and at the powers of 2. What needs
// many sines (positions in an encoding) computes them once.
#include <numbers>

#include "ops/elementwise.h"

namespace tapegrad {

Tensor exp(const Tensor& x) {
  return unary(
      "exp", x, [](auto x) { return exp(x); }, Save::y, [](auto dy, auto y) { return dy * y; });
}

Tensor expm1(const Tensor& x) {
  return unary(
      "expm1", x, [](auto x) { return expm1(x); }, Save::y, [](auto dy, auto y) { return dy * (y + 1); });
}

Tensor log(const Tensor& x) {
  return unary(
      "log", x, [](auto x) { return log(x); }, Save::x, [](auto dy, auto x) { return dy / x; });
}

Tensor log2(const Tensor& x) {
  return unary(
      "log2", x, [](auto x) { return std::log2(x); }, Save::x,
      [](auto dy, auto x) { return dy / (x * constant(x, std::numbers::ln2)); });
}

Tensor log1p(const Tensor& x) {
  return unary(
      "log1p", x, [](auto x) { return log1p(x); }, Save::x, [](auto dy, auto x) { return dy / (x + 1); });
}

Tensor square(const Tensor& x) {
  return unary(
      "square", x, [](auto x) { return x * x; }, Save::x, [](auto dy, auto x) { return dy * (x + x); });
}

Tensor reciprocal(const Tensor& x) {
  return unary(
      "reciprocal", x, [](auto x) { return 1 / x; }, Save::y, [](auto dy, auto y) { return -(dy * (y * y)); });
}

Tensor sqrt(const Tensor& x) {
  return unary(
      "sqrt", x, [](auto x) { return sqrt(x); }, Save::y, [](auto dy, auto y) { return dy / (y + y); });
}

Tensor rsqrt(const Tensor& x) {
  return unary(
      "rsqrt", x, [](auto x) { return 1 / sqrt(x); }, Save::y, [](auto dy, auto y) { return dy * (y * y * y) / -2; });
}

Tensor sin(const Tensor& x) {
  return unary(
      "sin", x, [](auto x) { return sin(x); }, Save::x, [](auto dy, auto x) { return dy * cos(x); });
}

Tensor cos(const Tensor& x) {
  return unary(
      "cos", x, [](auto x) { return cos(x); }, Save::x, [](auto dy, auto x) { return -(dy * sin(x)); });
}

Tensor erf(const Tensor& x) {
  return unary(
      "erf", x, [](auto x) { return erf(x); }, Save::x,
      [](auto dy, auto x) { return dy * (exp(-(x * x)) * constant(x, 2 * std::numbers::inv_sqrtpi)); });
}

}  // namespace tapegrad
