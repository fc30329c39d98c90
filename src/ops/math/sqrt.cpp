// y = sqrt(x), elementwise.                 y = rsqrt(x) = 1 / sqrt(x)
//   dx = dy / (2 y)                           dx = -dy y^3 / 2
// y is saved. At 0 the slope is infinite, as the function's is; below 0 the value is NaN.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sqrt(const Tensor& x) {
  Tensor y = map("sqrt", x, [](auto x) { return sqrt(x); });
  return record("sqrt", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "sqrt", [](auto dy, auto y) { return dy / (y + y); }, dy, y)};
  });
}

Tensor rsqrt(const Tensor& x) {
  Tensor y = map("rsqrt", x, [](auto x) { return 1 / sqrt(x); });
  return record("rsqrt", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "rsqrt", [](auto dy, auto y) { return dy * (y * y * y) / -2; }, dy, y)};
  });
}

}  // namespace tapegrad
