// The powers of x that have a name, elementwise:
//   y = square(x) = x^2        dx = 2 dy x       y = reciprocal(x) = 1 / x     dx = -dy y^2
//   y = sqrt(x)                dx = dy / (2 y)   y = rsqrt(x) = 1 / sqrt(x)    dx = -dy y^3 / 2
// The square saves x, the others y. At 0 the slope of the roots is infinite, as the function's is; below 0 the value
// is NaN.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor square(const Tensor& x) {
  return unary(
      "square", x, [](auto x) { return x * x; }, Save::x, [](auto dy, auto x) { return dy * (x + x); });
}

Tensor reciprocal(const Tensor& x) {
  return unary(
      "reciprocal", x, [](auto x) { return 1 / x; }, Save::y,
      [](auto dy, auto y) { return -(dy * (y * y)); });
}

Tensor sqrt(const Tensor& x) {
  return unary(
      "sqrt", x, [](auto x) { return sqrt(x); }, Save::y, [](auto dy, auto y) { return dy / (y + y); });
}

Tensor rsqrt(const Tensor& x) {
  return unary(
      "rsqrt", x, [](auto x) { return 1 / sqrt(x); }, Save::y,
      [](auto dy, auto y) { return dy * (y * y * y) / -2; });
}

}  // namespace tapegrad
