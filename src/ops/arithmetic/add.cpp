// y = a + b, elementwise with broadcasting.
//   da = dy    db = dy
// Nothing is saved. The tape sums dy over the axes along which an input was repeated.
#include "ops/arithmetic/arithmetic.h"
#include "ops/elementwise.h"

namespace tapegrad {

void detail::add_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_number("add", y.dtype(),
                  [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a + b; }); });
}

namespace {
Tensor forward(const Tensor& a, const Tensor& b) {
  Tensor y = detail::new_result("add", a, b, a.dtype());
  detail::add_into(a, b, y);
  return y;
}
}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", forward(a, b), {a, b}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Tensor add(const Tensor& a, double b) {
  return record("add", forward(a, number_like("add", a, b)), {a},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

}  // namespace tapegrad
