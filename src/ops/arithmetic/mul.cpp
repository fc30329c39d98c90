// y = a * b, elementwise with broadcasting.
//   da = dy * b    db = dy * a
// Both inputs are saved; an input that needs no gradient is not multiplied for.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", compute::mul(a, b), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Gradients {
                  return {needs[0] ? dy * b : Tensor(), needs[1] ? dy * a : Tensor()};
                });
}

Tensor mul(const Tensor& a, double b) {
  return record("mul", compute::mul(a, number_like("mul", a, b)), {a}, {{"b", b}},
                [b](const Tensor& dy) -> Gradients { return {dy * b}; });
}

}  // namespace tapegrad
