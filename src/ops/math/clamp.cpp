// y = low where x < low, high where x > high, else x.
//   dx = dy where low <= x <= high, else 0
// x is saved. The gradient goes through at the bounds themselves, so that a value that was clamped to one can
// come back.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high))
    fail<ValueError>("clamp", "low must not be greater than high, got {} and {}", low, high);
  Tensor y = map("clamp", x, [low, high](auto x) {
    return where(x < constant(x, low), constant(x, low), where(x > constant(x, high), constant(x, high), x));
  });
  return record("clamp", y, {x}, [x = Saved(x), low, high](const Tensor& dy) -> Gradients {
    return {elementwise_vjp(
        "clamp",
        [low, high](auto dy, auto x) {
          return where(x < constant(x, low), 0, where(x > constant(x, high), 0, dy));
        },
        dy, x)};
  });
}

}  // namespace tapegrad
