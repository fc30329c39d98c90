// y = a * b, elementwise with broadcasting.
//   da = dy * b    db = dy * a
// Both inputs are saved; an input that needs no gradient is not multiplied for.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = map2("mul", a, b, [](auto a, auto b) { return a * b; });
  return record("mul", y, {a, b}, [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Gradients {
    return {needs[0] ? dy * b : Tensor(), needs[1] ? dy * a : Tensor()};
  });
}

Tensor mul(const Tensor& a, double b) {
  Tensor y = map("mul", a, [b](auto a) { return a * decltype(a)(b); });
  return record("mul", y, {a}, [b](const Tensor& dy) -> Gradients { return {dy * b}; });
}

}  // namespace tapegrad
