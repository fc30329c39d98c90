#include "ops/elementwise.h"

namespace tapegrad {

Tensor divide_or_zero(const Tensor& a, const Tensor& b) {
  const Tensor zero = eq(b.detach(), 0.0);
  return where(zero, 0.0, a / where(zero, 1.0, b));  // a division by zero would come back as 0 * inf = NaN
}

}  // namespace tapegrad
