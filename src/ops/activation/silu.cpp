// y = x s, s = sigmoid(x).
//   dx = dy (s + x s (1 - s))
// x is saved, and s computed again: one exponential costs less than one more array in memory.
// Source: Elfwing, Uchibe, Doya 2018, "Sigmoid-weighted linear units for neural network function
// approximation in reinforcement learning", arXiv:1702.03118, equations 2 and 3.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor silu(const Tensor& x) {
  return unary(
      "silu", x, [](auto x) { return x * sigmoid(x); }, Save::x,
      [](auto dy, auto x) {
        const auto s = sigmoid(x);
        return dy * (s + x * (s * (1 - s)));
      });
}

}  // namespace tapegrad
