// y = a * b, elementwise with broadcasting.
//   da = dy * b    db = dy * a
// Both inputs are saved; an input that needs no gradient is not multiplied for.
#include "ops/arithmetic/arithmetic.h"
#include "ops/elementwise.h"

namespace tapegrad {

void detail::mul_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_number("mul", y.dtype(),
                  [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a * b; }); });
}

namespace {
Tensor forward(const Tensor& a, const Tensor& b) {
  Tensor y = detail::new_result("mul", a, b, a.dtype());
  detail::mul_into(a, b, y);
  return y;
}
}  // namespace

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", forward(a, b), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Gradients {
                  return {needs[0] ? dy * b : Tensor(), needs[1] ? dy * a : Tensor()};
                });
}

Tensor mul(const Tensor& a, double b) {
  return record("mul", forward(a, number_like("mul", a, b)), {a},
                [b](const Tensor& dy) -> Gradients { return {dy * b}; });
}

}  // namespace tapegrad
