// y = log(x), elementwise.                  y = log1p(x) = log(1 + x), exact to rounding also near 0.
//   dx = dy / x                               dx = dy / (1 + x)
// x is saved. log(0) is -inf with gradient inf; below 0 it is NaN.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor log(const Tensor& x) {
  return unary(
      "log", x, [](auto x) { return log(x); }, Save::x, [](auto dy, auto x) { return dy / x; });
}

Tensor log1p(const Tensor& x) {
  return unary(
      "log1p", x, [](auto x) { return log1p(x); }, Save::x, [](auto dy, auto x) { return dy / (x + 1); });
}

}  // namespace tapegrad
