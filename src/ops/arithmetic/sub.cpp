// y = a - b, elementwise with broadcasting.
//   da = dy    db = -dy
#include "ops/arithmetic/arithmetic.h"
#include "ops/elementwise.h"

namespace tapegrad {

void detail::sub_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_number("sub", y.dtype(),
                  [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a - b; }); });
}

namespace {
Tensor forward(const Tensor& a, const Tensor& b) {
  Tensor y = detail::new_result("sub", a, b, a.dtype());
  detail::sub_into(a, b, y);
  return y;
}
}  // namespace

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", forward(a, b), {a, b}, [](const Tensor& dy, Needs needs) -> Gradients {
    return {dy, needs[1] ? -dy : Tensor()};
  });
}

Tensor sub(const Tensor& a, double b) {
  return record("sub", forward(a, number_like("sub", a, b)), {a},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor sub(double a, const Tensor& b) {
  return record("sub", forward(number_like("sub", b, a), b), {b},
                [](const Tensor& dy) -> Gradients { return {-dy}; });
}

}  // namespace tapegrad
