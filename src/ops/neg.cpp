// y = -x, elementwise.
//   dx = -dy
#include "ops/elementwise.h"

namespace tapegrad {

Tensor neg(const Tensor& x) {
  Tensor y = map("neg", x, [](auto x) { return -x; });
  return record("neg", y, {x}, [](const Tensor& dy) -> Gradients { return {-dy}; });
}

}  // namespace tapegrad
