// y = log(x), elementwise.                  y = log1p(x) = log(1 + x), exact to rounding also near 0.
//   dx = dy / x                               dx = dy / (1 + x)
// y = log2(x)    dx = dy / (x ln 2)
// x is saved. log(0) is -inf with gradient inf; below 0 it is NaN. log2 is the C library's, exact at the powers of 2.
#include <numbers>

#include "ops/elementwise.h"

namespace tapegrad {

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

}  // namespace tapegrad
