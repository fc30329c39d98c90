// y = a - b, elementwise with broadcasting.
//   da = dy    db = -dy
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sub(const Tensor& a, const Tensor& b) {
  Tensor y = map2("sub", a, b, [](auto a, auto b) { return a - b; });
  return record("sub", y, {a, b}, [](const Tensor& dy, Needs needs) -> Gradients {
    return {dy, needs[1] ? -dy : Tensor()};
  });
}

Tensor sub(const Tensor& a, double b) {
  return add(a, -b);
}

Tensor sub(double a, const Tensor& b) {
  Tensor y = map("sub", b, [a](auto b) { return decltype(b)(a) - b; });
  return record("sub", y, {b}, [](const Tensor& dy) -> Gradients { return {-dy}; });
}

}  // namespace tapegrad
