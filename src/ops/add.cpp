// y = a + b, elementwise with broadcasting.
//   da = dy    db = dy
// Nothing is saved. The tape sums dy over the axes along which an input was repeated.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = map2("add", a, b, [](auto a, auto b) { return a + b; });
  return record("add", y, {a, b}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Tensor add(const Tensor& a, double b) {
  Tensor y = map("add", a, [b](auto a) { return a + decltype(a)(b); });
  return record("add", y, {a}, [](const Tensor& dy) -> Gradients { return {dy}; });
}

}  // namespace tapegrad
