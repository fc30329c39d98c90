// y = x t,  t = tanh(p),  p = softplus(x) = ln(1 + e^x).
//   dp/dx = sigmoid(x) = s,  dt/dx = (1 - t^2) s,  so  dx = dy (t + x s (1 - t^2))
// x is saved.
// Source: Misra 2019, "Mish: a self regularized non-monotonic activation function", arXiv:1908.08681, equation 1.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {
constexpr auto factor = [](auto x) { return tanh(where(x <= 0, 0, x) + log1p(exp(-abs(x)))); };
}

Tensor mish(const Tensor& x) {
  return unary(
      "mish", x, [](auto x) { return x * factor(x); }, Save::x,
      [](auto dy, auto x) {
        const auto t = factor(x);
        return dy * (t + x * sigmoid(x) * (1 - t * t));
      });
}

}  // namespace tapegrad
