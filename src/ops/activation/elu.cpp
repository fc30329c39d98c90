// y = x where x > 0, else alpha (exp(x) - 1).
//   dx = dy where x > 0, else dy alpha exp(x)
// x is saved: y does not tell where x was if alpha is 0 or negative.
// Source: Clevert, Unterthiner, Hochreiter 2016, "Fast and accurate deep network learning by exponential
// linear units", arXiv:1511.07289, equation 15.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor elu(const Tensor& x, double alpha) {
  Tensor y = map("elu", x, [alpha](auto x) { return where(x > 0, x, expm1(x) * constant(x, alpha)); });
  return record("elu", y, {x}, [x = Saved(x), alpha](const Tensor& dy) -> Gradients {
    // The branch that is not chosen must not overflow: second derivatives would multiply its infinity by 0.
    return {elementwise_vjp(
        "elu",
        [alpha](auto dy, auto x) {
          return where(x > 0, dy, dy * (exp(where(x > 0, 0, x)) * constant(x, alpha)));
        },
        dy, x)};
  });
}

}  // namespace tapegrad
