// y = a where the condition holds, else b; all three broadcast.
//   da = dy where the condition holds, else 0    db the other way round
// The condition is saved, the values are not: what was not chosen may be NaN or infinite and does no harm,
// unlike in condition * a + (1 - condition) * b.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != boolean)
    fail<DtypeError>("where",
                     "the condition must be boolean, got {}. Hint: make a mask with a comparison, ne(x, 0)",
                     condition.dtype());
  return record("where", compute::where(condition, a, b), {condition, a, b},
                [condition = Saved(condition)](const Tensor& dy, Needs needs) -> Gradients {
                  return {Tensor(), needs[1] ? where(condition, dy, 0) : Tensor(),
                          needs[2] ? where(condition, 0, dy) : Tensor()};
                });
}
Tensor where(const Tensor& condition, const Tensor& a, double b) {
  return where(condition, a, number_like("where", a, b));
}
Tensor where(const Tensor& condition, double a, const Tensor& b) {
  return where(condition, number_like("where", b, a), b);
}

}  // namespace tapegrad
