// y = ln(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)): the exponential of what is not positive cannot overflow,
// and no threshold is needed above which y is taken to be x.
//   dx = dy sigmoid(x)
// x is saved.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor softplus(const Tensor& x) {
  return unary(
      "softplus", x, [](auto x) { return where(x <= 0, 0, x) + log1p(exp(-abs(x))); }, Save::x,
      [](auto dy, auto x) { return dy * sigmoid(x); });
}

}  // namespace tapegrad
