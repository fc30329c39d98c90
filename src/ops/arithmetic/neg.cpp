// y = -x, elementwise.
//   dx = -dy
#include "ops/elementwise.h"

namespace tapegrad {

Tensor neg(const Tensor& x) {
  // 0 - x would be +0 for x = +0.
  Tensor y = x.dtype() == int64 ? sub(0, x) : map("neg", x, [](auto x) { return -x; });
  return record("neg", y, {x}, [](const Tensor& dy) -> Gradients { return {-dy}; });
}

}  // namespace tapegrad
