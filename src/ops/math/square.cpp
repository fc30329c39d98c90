// y = x^2, elementwise.                     y = reciprocal(x) = 1 / x
//   dx = 2 dy x                               dx = -dy y^2
#include "ops/elementwise.h"

namespace tapegrad {

Tensor square(const Tensor& x) {
  Tensor y = map("square", x, [](auto x) { return x * x; });
  return record("square", y, {x}, [x = Saved(x)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "square", [](auto dy, auto x) { return dy * (x + x); }, dy, x)};
  });
}

Tensor reciprocal(const Tensor& x) {
  Tensor y = map("reciprocal", x, [](auto x) { return 1 / x; });
  return record("reciprocal", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "reciprocal", [](auto dy, auto y) { return -(dy * (y * y)); }, dy, y)};
  });
}

}  // namespace tapegrad
