// y = x where x > 0, else alpha (exp(x) - 1).
//   dx = dy where x > 0, else dy alpha exp(x)
// x is saved: y does not tell where x was if alpha is 0 or negative. The branch that is not chosen must not overflow:
// second derivatives would multiply its infinity by 0.
// Source: Clevert, Unterthiner, Hochreiter 2016, "Fast and accurate deep network learning by exponential
// linear units", arXiv:1511.07289, equation 15.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor elu(const Tensor& x, double alpha) {
  return unary(
      "elu", x, [alpha](auto x) { return where(x > 0, x, expm1(x) * constant(x, alpha)); }, Save::x,
      [alpha](auto dy, auto x) {
        return where(x > 0, dy, dy * (exp(where(x > 0, 0, x)) * constant(x, alpha)));
      },
      {{"alpha", alpha}});
}

}  // namespace tapegrad
