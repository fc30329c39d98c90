// y = value where mask, else x: where() whose result keeps x's shape.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  if (broadcast_shape("masked_fill", x.shape(), mask.shape()) != x.shape())
    fail<ShapeError>("masked_fill", "mask must broadcast to {}, got {}", x.shape(), mask.shape());
  return where(mask, value, x);
}

}  // namespace tapegrad
