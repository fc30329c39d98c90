// relu, leaky_relu, elu and prelu: x where it is positive, with their derivatives as in ops/activation.h.
// relu saves y, whose sign is that of x where it matters; leaky_relu and elu save x, which their y does not tell where the slope or
// alpha is 0 or negative. The conditions are written so that NaN goes through. Where elu's exponential is not chosen it must not
// overflow: second derivatives would multiply its infinity by 0. prelu is made of operations; what it multiplies by w is 0
// where x > 0, so that an infinite x leaves dw alone.
#include <algorithm>

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
      [slope](auto dy, auto x) { return where(x <= 0, dy * slope(x), dy); }, {{"negative_slope", negative_slope}});
}

Tensor elu(const Tensor& x, double alpha) {
  return unary(
      "elu", x, [alpha](auto x) { return where(x > 0, x, expm1(x) * constant(x, alpha)); }, Save::x,
      [alpha](auto dy, auto x) { return where(x > 0, dy, dy * (exp(where(x > 0, 0, x)) * constant(x, alpha))); },
      {{"alpha", alpha}});
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  check_floating("prelu", x);
  check_same_dtype("prelu", x, weight);
  const int64_t channels = x.dim() > 1 ? x.shape()[1] : 1;
  if (weight.shape() != Shape{1} && weight.shape() != Shape{channels})
    fail<ShapeError>("prelu", "weight must be [1] or a number for each of the {} channels of x {}, got {}", channels,
                     x.shape(), weight.shape());
  Shape shape = x.shape();  // of the weight beside x
  std::fill(shape.begin(), shape.end(), 1);
  if (x.dim() > 1) shape[1] = weight.numel();
  const Tensor positive = x > 0;
  return where(positive, x, weight.reshape(shape) * where(positive, 0.0, x));
}

}  // namespace tapegrad
