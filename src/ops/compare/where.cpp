// y = a where the condition holds, else b; all three broadcast.
//   da = dy where the condition holds, else 0    db the other way round
// The condition is saved, the values are not: what was not chosen may be NaN or infinite and does no harm,
// unlike in condition * a + (1 - condition) * b.
#include "compute/copy.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor forward(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != boolean)
    fail<DtypeError>("where",
                     "the condition must be boolean, got {}. Hint: make a mask with a comparison, ne(x, 0)",
                     condition.dtype());
  return compute::where(condition, a, b);
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return record("where", forward(condition, a, b), {condition, a, b},
                [condition = Saved(condition)](const Tensor& dy, Needs needs) -> Gradients {
                  return {Tensor(), needs[1] ? where(condition, dy, 0) : Tensor(),
                          needs[2] ? where(condition, 0, dy) : Tensor()};
                });
}

Tensor where(const Tensor& condition, const Tensor& a, double b) {
  return record("where", forward(condition, a, number_like("where", a, b)), {condition, a},
                [condition = Saved(condition)](const Tensor& dy) -> Gradients {
                  return {Tensor(), where(condition, dy, 0)};
                });
}

Tensor where(const Tensor& condition, double a, const Tensor& b) {
  return record("where", forward(condition, number_like("where", b, a), b), {condition, b},
                [condition = Saved(condition)](const Tensor& dy) -> Gradients {
                  return {Tensor(), where(condition, 0, dy)};
                });
}

}  // namespace tapegrad
