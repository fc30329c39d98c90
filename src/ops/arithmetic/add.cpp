// Sums, differences and quotients, elementwise with broadcasting; the tape sums dy over the axes along which an input was repeated.
//   a + b   da = dy    db = dy              a - b   da = dy    db = -dy              -x   dx = -dy
//   a / b   da = dy / b    db = -dy a / b^2 = -da y
// Of the quotient b and y are saved: with y there is one division less than with a, and no b^2 that may overflow.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", compute::add(a, b), {a, b}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Tensor add(const Tensor& a, double b) {
  return record("add", compute::add(a, number_like("add", a, b)), {a}, {{"b", b}},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", compute::sub(a, b), {a, b}, [](const Tensor& dy, Needs needs) -> Gradients {
    return {dy, needs[1] ? -dy : Tensor()};
  });
}

Tensor sub(const Tensor& a, double b) {
  return record("sub", compute::sub(a, number_like("sub", a, b)), {a}, {{"b", b}},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor sub(double a, const Tensor& b) {
  return record("sub", compute::sub(number_like("sub", b, a), b), {b}, {{"a", a}},
                [](const Tensor& dy) -> Gradients { return {-dy}; });
}

Tensor neg(const Tensor& x) {
  // 0 - x would be +0 for x = +0.
  Tensor y = x.dtype() == int64 ? sub(0, x) : map("neg", x, [](auto x) { return -x; });
  return record("neg", y, {x}, [](const Tensor& dy) -> Gradients { return {-dy}; });
}

Tensor div(const Tensor& a, const Tensor& b) {
  Tensor y = compute::div(a, b);
  return record("div", y, {a, b}, [b = Saved(b), y = Saved(y)](const Tensor& dy, Needs needs) -> Gradients {
    const Tensor da = dy / b;
    return {da, needs[1] ? -(da * y.get()) : Tensor()};
  });
}

Tensor div(const Tensor& a, double b) {
  return record("div", compute::div(a, number_like("div", a, b)), {a}, {{"b", b}},
                [b](const Tensor& dy) -> Gradients { return {dy / b}; });
}

Tensor div(double a, const Tensor& b) {
  Tensor y = compute::div(number_like("div", b, a), b);
  return record("div", y, {b}, {{"a", a}},
                [b = Saved(b), y = Saved(y)](const Tensor& dy) -> Gradients { return {-(dy / b * y.get())}; });
}

}  // namespace tapegrad
