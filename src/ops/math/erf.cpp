// y = erf(x) = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
//   dx = dy 2 / sqrt(pi) exp(-x^2)
// x is saved.
#include <numbers>

#include "ops/elementwise.h"

namespace tapegrad {

Tensor erf(const Tensor& x) {
  return unary(
      "erf", x, [](auto x) { return erf(x); }, Save::x,
      [](auto dy, auto x) { return dy * (exp(-(x * x)) * constant(x, 2 * std::numbers::inv_sqrtpi)); });
}

}  // namespace tapegrad
