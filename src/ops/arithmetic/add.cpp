// y = a + b, elementwise with broadcasting.
//   da = dy    db = dy
// Nothing is saved. The tape sums dy over the axes along which an input was repeated.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", compute::add(a, b), {a, b}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Tensor add(const Tensor& a, double b) {
  return record("add", compute::add(a, number_like("add", a, b)), {a}, {{"b", b}},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

}  // namespace tapegrad
