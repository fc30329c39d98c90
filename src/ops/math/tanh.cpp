// y = tanh(x), elementwise.
//   dx = dy * (1 - y^2)
// y is saved, not x: the derivative needs only the output.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor tanh(const Tensor& x) {
  return unary(
      "tanh", x, [](auto x) { return tanh(x); }, Save::y, [](auto dy, auto y) { return dy * (1 - y * y); });
}

}  // namespace tapegrad
