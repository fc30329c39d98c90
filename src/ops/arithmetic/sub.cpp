// y = a - b, elementwise with broadcasting.
//   da = dy    db = -dy
#include "ops/elementwise.h"

namespace tapegrad {

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

}  // namespace tapegrad
