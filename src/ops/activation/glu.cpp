// y = a sigmoid(b), a and b the halves of x along an axis. Made of operations.
// Source: Dauphin, Fan, Auli, Grangier 2017, "Language modeling with gated convolutional networks", arXiv:1612.08083,
// equation 1.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor glu(const Tensor& x, int64_t axis) {
  check_floating("glu", x);
  const int64_t at = wrap_axis("glu", axis, x.dim()), size = x.shape()[at];
  if (size % 2 != 0)
    fail<ShapeError>("glu", "axis {} must have an even size, of two halves, got x {}", axis, x.shape());
  return narrow(x, at, 0, size / 2) * sigmoid(narrow(x, at, size / 2, size / 2));
}

}  // namespace tapegrad
