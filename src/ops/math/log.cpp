// y = log(x), elementwise.                  y = log1p(x) = log(1 + x), exact to rounding also near 0.
//   dx = dy / x                               dx = dy / (1 + x)
// x is saved. log(0) is -inf with gradient inf; below 0 it is NaN.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor log(const Tensor& x) {
  Tensor y = map("log", x, [](auto x) { return log(x); });
  return record("log", y, {x}, [x = Saved(x)](const Tensor& dy) -> Gradients { return {dy / x}; });
}

Tensor log1p(const Tensor& x) {
  Tensor y = map("log1p", x, [](auto x) { return log1p(x); });
  return record("log1p", y, {x}, [x = Saved(x)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "log1p", [](auto dy, auto x) { return dy / (x + 1); }, dy, x)};
  });
}

}  // namespace tapegrad
