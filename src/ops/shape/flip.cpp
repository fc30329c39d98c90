// flip: the entries of some axes in reverse order, dx = dy, reversed again. The copy reads a view with negative strides.
// roll: y[(i + shift) mod n] = x[i], the two parts of x in each other's place. Made of operations.
// repeat: x laid out several times along its axes: for each axis a new one of size 1 in front of it, expanded to the
// number of copies, and both read as one. Made of views and one copy an axis; their gradients sum over the
// copies.
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor flip(const Tensor& x, const Shape& axes) {
  const uint32_t flipped = compute::axis_bits("flip", axes, x.dim());
  Shape strides = x.strides();
  int64_t offset = 0;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (!(flipped >> i & 1)) continue;
    if (x.numel() > 0) offset += (x.shape()[i] - 1) * strides[i];
    strides[i] = -strides[i];
  }
  const Tensor y = detail::contiguous_copy(detail::new_view(x, x.shape(), strides, offset));
  return record("flip", y, {x}, {{"axes", axes}},
                [axes](const Tensor& dy) -> Gradients { return {flip(dy, axes)}; });
}

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

Tensor repeat(const Tensor& x, const Shape& repeats) {
  if (repeats.size() < x.dim())
    fail<ShapeError>("repeat", "a count for each axis of {} is needed, got {}", x.shape(), repeats);
  Shape shape = x.shape();
  while (shape.size() < repeats.size()) shape.insert(0, 1);
  for (int64_t count : repeats)
    if (count < 0) fail<ShapeError>("repeat", "counts must not be negative, got {}", repeats);
  Tensor y = x.reshape(shape);
  for (int64_t axis = shape.size() - 1; axis >= 0; --axis) {
    if (repeats[axis] == 1) continue;
    // Fold what lies before and behind, so that eight axes are enough.
    int64_t outer = 1, inner = 1;
    for (int64_t i = 0; i < axis; ++i) outer *= shape[i];
    for (int64_t i = axis; i < shape.size(); ++i) inner *= shape[i];
    shape[axis] *= repeats[axis];
    y = y.reshape({outer, 1, inner}).expand({outer, repeats[axis], inner}).reshape(shape);
  }
  return y;
}

}  // namespace tapegrad
