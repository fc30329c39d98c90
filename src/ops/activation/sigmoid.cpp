// y = 1 / (1 + exp(-x)), elementwise.
//   dx = dy y (1 - y)
// y is saved. The exponential is taken of -|x|, so it cannot overflow.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sigmoid(const Tensor& x) {
  Tensor y = map("sigmoid", x, [](auto x) { return sigmoid(x); });
  return record("sigmoid", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "sigmoid", [](auto dy, auto y) { return dy * (y * (1 - y)); }, dy, y)};
  });
}

}  // namespace tapegrad
