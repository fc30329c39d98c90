// y = exp(x), elementwise.                  y = expm1(x) = exp(x) - 1, exact to rounding also near 0.
//   dx = dy y                                 dx = dy (y + 1)
// y is saved.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor exp(const Tensor& x) {
  Tensor y = map("exp", x, [](auto x) { return exp(x); });
  return record("exp", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients { return {dy * y}; });
}

Tensor expm1(const Tensor& x) {
  Tensor y = map("expm1", x, [](auto x) { return expm1(x); });
  return record("expm1", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "expm1", [](auto dy, auto y) { return dy * (y + 1); }, dy, y)};
  });
}

}  // namespace tapegrad
