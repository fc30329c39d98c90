// y = sin(x), elementwise.                  y = cos(x)
//   dx = dy cos(x)                            dx = -dy sin(x)
// x is saved. The C library's functions, one number at a time, also in float32: they are exact for large x,
// and what needs many of them (positions in an encoding) computes them once.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sin(const Tensor& x) {
  return unary(
      "sin", x, [](auto x) { return sin(x); }, Save::x, [](auto dy, auto x) { return dy * cos(x); });
}

Tensor cos(const Tensor& x) {
  return unary(
      "cos", x, [](auto x) { return cos(x); }, Save::x, [](auto dy, auto x) { return -(dy * sin(x)); });
}

}  // namespace tapegrad
