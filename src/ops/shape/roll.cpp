// y[(i + shift) mod n] = x[i] along an axis: the two parts of x in each other's place. Made of operations.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor roll(const Tensor& x, int64_t shift, int64_t axis) {
  const int64_t at = wrap_axis("roll", axis, x.dim()), n = x.shape()[at];
  if (n == 0) return x.clone();
  const int64_t last = (shift % n + n) % n;  // so many come to the front
  return concat({narrow(x, at, n - last, last), narrow(x, at, 0, n - last)}, at);
}

Tensor roll(const Tensor& x, const Shape& shifts, const Shape& axes) {
  if (shifts.size() != axes.size() || axes.empty())
    fail<ShapeError>("roll", "there must be an axis for each shift, got shifts {} and axes {}", shifts, axes);
  Tensor y = x;
  for (int64_t i = 0; i < axes.size(); ++i) y = roll(y, shifts[i], axes[i]);
  return y;
}

}  // namespace tapegrad
