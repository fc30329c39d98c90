// y = a / b, elementwise with broadcasting.
//   da = dy / b    db = -dy a / b^2 = -dy y / b
// b and y are saved: with y there is one division less than with a, and no b^2 that may overflow.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor divisor_gradient(const Tensor& da, const Tensor& y) { return -(da * y); }

}  // namespace

Tensor div(const Tensor& a, const Tensor& b) {
  Tensor y = compute::div(a, b);
  return record("div", y, {a, b}, [b = Saved(b), y = Saved(y)](const Tensor& dy, Needs needs) -> Gradients {
    const Tensor da = dy / b;
    return {da, needs[1] ? divisor_gradient(da, y) : Tensor()};
  });
}

Tensor div(const Tensor& a, double b) {
  return record("div", compute::div(a, number_like("div", a, b)), {a}, {{"b", b}},
                [b](const Tensor& dy) -> Gradients { return {dy / b}; });
}

Tensor div(double a, const Tensor& b) {
  Tensor y = compute::div(number_like("div", b, a), b);
  return record("div", y, {b}, {{"a", a}}, [b = Saved(b), y = Saved(y)](const Tensor& dy) -> Gradients {
    return {divisor_gradient(dy / b, y)};
  });
}

}  // namespace tapegrad
