// y = exp(x), elementwise.                  y = expm1(x) = exp(x) - 1, exact to rounding also near 0.
//   dx = dy y                                 dx = dy (y + 1)
// y is saved.
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

}  // namespace tapegrad
