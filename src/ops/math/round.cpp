// |x|, with the gradient 0 at its kink, and what is constant wherever it is differentiable, so without gradient: the sign, and
// whole numbers near x. NaN in is NaN out. nearbyint() takes the rounding mode of the CPU, which nobody changes: the nearest, of two
// the even one.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor abs(const Tensor& x) {
  return unary(
      "abs", x, [](auto x) { return abs(x); }, Save::x,
      [](auto dy, auto x) { return where(x > 0, dy, where(x < 0, -dy, 0)); });
}

Tensor sign(const Tensor& x) {
  // x itself where no comparison holds: 0 and NaN.
  Tensor y = map("sign", x, [](auto x) { return where(x > 0, 1, where(x < 0, -1, x)); });
  return record_nondifferentiable("sign", y, {x});
}

Tensor floor(const Tensor& x) {
  return record_nondifferentiable("floor", map("floor", x, [](auto x) { return std::floor(x); }), {x});
}
Tensor ceil(const Tensor& x) {
  return record_nondifferentiable("ceil", map("ceil", x, [](auto x) { return std::ceil(x); }), {x});
}
Tensor round(const Tensor& x) {
  return record_nondifferentiable("round", map("round", x, [](auto x) { return std::nearbyint(x); }), {x});
}
Tensor trunc(const Tensor& x) {
  return record_nondifferentiable("trunc", map("trunc", x, [](auto x) { return std::trunc(x); }), {x});
}

}  // namespace tapegrad
