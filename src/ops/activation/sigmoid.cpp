// sigmoid and what is made of it, s = sigmoid(x):
//   y = s                      dx = dy y (1 - y)
//   silu      y = x s          dx = dy (s + x s (1 - s))
//   softplus  y = ln(1 + e^x) = max(x, 0) + log1p(e^-|x|)      dx = dy s
//   mish      y = x t,  t = tanh(p),  p = softplus(x): dp/dx = s,  dt/dx = (1 - t^2) s,  so  dx = dy (t + x s (1 - t^2))
// sigmoid saves y, the others x: one exponential costs less than one more array in memory. Exponentials are taken of -|x|, so that
// they cannot overflow. glu is made of operations.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sigmoid(const Tensor& x) {
  return unary(
      "sigmoid", x, [](auto x) { return sigmoid(x); }, Save::y, [](auto dy, auto y) { return dy * (y * (1 - y)); });
}

Tensor silu(const Tensor& x) {
  return unary(
      "silu", x, [](auto x) { return x * sigmoid(x); }, Save::x,
      [](auto dy, auto x) {
        const auto s = sigmoid(x);
        return dy * (s + x * (s * (1 - s)));
      });
}

Tensor softplus(const Tensor& x) {
  return unary(
      "softplus", x, [](auto x) { return where(x <= 0, 0, x) + log1p(exp(-abs(x))); }, Save::x,
      [](auto dy, auto x) { return dy * sigmoid(x); });
}

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

Tensor glu(const Tensor& x, int64_t axis) {
  check_floating("glu", x);
  const int64_t at = wrap_axis("glu", axis, x.dim()), size = x.shape()[at];
  if (size % 2 != 0)
    fail<ShapeError>("glu", "axis {} must have an even size, of two halves, got x {}", axis, x.shape());
  return narrow(x, at, 0, size / 2) * sigmoid(narrow(x, at, size / 2, size / 2));
}

}  // namespace tapegrad
