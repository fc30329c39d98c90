// relu        y = max(x, 0)                 dx = dy where x > 0, else 0
// leaky_relu  y = x where x > 0, else s x   dx = dy where x > 0, else s dy
// relu saves y, whose sign is that of x where it matters; leaky_relu saves x, since s may be 0 or negative.
// The conditions are written so that NaN goes through. At 0 the slope is 0, and s.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor relu(const Tensor& x) {
  Tensor y = map("relu", x, [](auto x) { return where(x <= 0, 0, x); });
  return record("relu", y, {x}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "relu", [](auto dy, auto y) { return where(y <= 0, 0, dy); }, dy, y)};
  });
}

Tensor leaky_relu(const Tensor& x, double negative_slope) {
  const auto slope = [negative_slope](auto x) { return constant(x, negative_slope); };
  Tensor y = map("leaky_relu", x, [slope](auto x) { return where(x <= 0, x * slope(x), x); });
  return record("leaky_relu", y, {x}, [x = Saved(x), slope](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "leaky_relu", [slope](auto dy, auto x) { return where(x <= 0, dy * slope(x), dy); }, dy, x)};
  });
}

}  // namespace tapegrad
