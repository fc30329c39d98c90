// y = a / b, elementwise with broadcasting.
//   da = dy / b    db = -dy a / b^2 = -dy y / b
// b and y are saved: with y there is one division less than with a, and no b^2 that may overflow.
#include "ops/arithmetic/arithmetic.h"
#include "ops/elementwise.h"

namespace tapegrad {

void detail::div_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_float("div", y.dtype(),
                 [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a / b; }); });
}

namespace {
Tensor forward(const Tensor& a, const Tensor& b) {
  Tensor y = detail::new_result("div", a, b, a.dtype());
  detail::div_into(a, b, y);
  return y;
}

Tensor divisor_gradient(const Tensor& da, const Tensor& y) {
  return -(da * y);
}

}  // namespace

Tensor div(const Tensor& a, const Tensor& b) {
  Tensor y = forward(a, b);
  return record("div", y, {a, b}, [b = Saved(b), y = Saved(y)](const Tensor& dy, Needs needs) -> Gradients {
    const Tensor da = dy / b;
    return {da, needs[1] ? divisor_gradient(da, y) : Tensor()};
  });
}

Tensor div(const Tensor& a, double b) {
  return record("div", forward(a, number_like("div", a, b)), {a},
                [b](const Tensor& dy) -> Gradients { return {dy / b}; });
}

Tensor div(double a, const Tensor& b) {
  Tensor y = forward(number_like("div", b, a), b);
  return record("div", y, {b}, [b = Saved(b), y = Saved(y)](const Tensor& dy) -> Gradients {
    return {divisor_gradient(dy / b, y)};
  });
}

}  // namespace tapegrad
