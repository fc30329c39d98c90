// relu        y = max(x, 0)                 dx = dy where x > 0, else 0
// leaky_relu  y = x where x > 0, else s x   dx = dy where x > 0, else s dy
// relu saves y, whose sign is that of x where it matters; leaky_relu saves x, since s may be 0 or negative.
// The conditions are written so that NaN goes through. At 0 the slope is 0, and s.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor relu(const Tensor& x) {
  return unary(
      "relu", x, [](auto x) { return where(x <= 0, 0, x); }, Save::y,
      [](auto dy, auto y) { return where(y <= 0, 0, dy); });
}

Tensor leaky_relu(const Tensor& x, double negative_slope) {
  const auto slope = [negative_slope](auto x) { return constant(x, negative_slope); };
  return unary(
      "leaky_relu", x, [slope](auto x) { return where(x <= 0, x * slope(x), x); }, Save::x,
      [slope](auto dy, auto x) { return where(x <= 0, dy * slope(x), dy); },
      {{"negative_slope", negative_slope}});
}

}  // namespace tapegrad
