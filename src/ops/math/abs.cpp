// y = |x|, elementwise.                     y = sign(x): -1, 0 or 1
//   dx = dy sign(x), 0 at the kink            constant wherever it is differentiable
// NaN in is NaN out for both.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor abs(const Tensor& x) {
  return unary(
      "abs", x, [](auto x) { return abs(x); }, Save::x,
      [](auto dy, auto x) { return where(x > 0, dy, where(x < 0, -dy, 0)); });
}

Tensor sign(const Tensor& x) {
  // x itself where no comparison holds: 0 and NaN.
  Tensor y = map("sign", x, [](auto x) { return where(x > 0, 1, where(x < 0, -1, x)); });
  return record_nondifferentiable("sign", y, {x});
}

}  // namespace tapegrad
