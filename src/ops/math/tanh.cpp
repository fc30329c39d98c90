// y = tanh(x), elementwise.
//   dx = dy * (1 - y^2)
// y is saved, not x: the derivative needs only the output.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor tanh(const Tensor& x) {
  Tensor y = map("tanh", x, [](auto x) { return tanh(x); });
  return record("tanh", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "tanh", [](auto dy, auto y) { return dy * (1 - y * y); }, dy, y)};
  });
}

}  // namespace tapegrad
