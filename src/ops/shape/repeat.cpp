// x laid out several times along its axes: for each axis a new one of size 1 in front of it, expanded to the
// number of copies, and both read as one. Made of views and one copy an axis; their gradients sum over the
// copies.
#include "ops/elementwise.h"

namespace tapegrad {

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
