// y = 1 / (1 + exp(-x)), elementwise.
//   dx = dy y (1 - y)
// y is saved. The exponential is taken of -|x|, so it cannot overflow.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sigmoid(const Tensor& x) {
  return unary(
      "sigmoid", x, [](auto x) { return sigmoid(x); }, Save::y,
      [](auto dy, auto y) { return dy * (y * (1 - y)); });
}

}  // namespace tapegrad
