// y = sin(x), elementwise.                  y = cos(x)
//   dx = dy cos(x)                            dx = -dy sin(x)
// x is saved. The C library's functions, one number at a time, also in float32: they are exact for large x,
// and what needs many of them (positions in an encoding) computes them once.
#include "compute/formula.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sin(const Tensor& x) {
  Tensor y = map("sin", x, [](auto x) { return sin(x); });
  return record("sin", y, {x}, [x = Saved(x)](const Tensor& dy) -> Gradients { return {dy * cos(x.get())}; });
}

Tensor cos(const Tensor& x) {
  Tensor y = map("cos", x, [](auto x) { return cos(x); });
  return record("cos", y, {x},
                [x = Saved(x)](const Tensor& dy) -> Gradients { return {-(dy * sin(x.get()))}; });
}

}  // namespace tapegrad
