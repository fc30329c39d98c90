// Parts of a tensor along one axis: views that begin at another element, with another size and stride.
//   dx is zero but for dy in the place of the part (place)
// Only shape and position are saved. The gradient of one part is as large as x, because a vjp returns whole
// gradients; split() and unbind() have one for all parts.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// `count` entries of an axis, or one, its axis gone.
Tensor part_of(const char* op, const Tensor& x, int64_t axis, int64_t start, int64_t count, int64_t step,
               bool axis_gone = false) {
  Shape shape = x.shape(), strides = x.strides();
  const int64_t offset = count > 0 && x.numel() > 0 ? start * strides[axis] : 0;
  shape[axis] = count;
  strides[axis] *= step;
  if (axis_gone) {
    shape.erase(axis);
    strides.erase(axis);
  }
  return record(op, detail::new_view(x, shape, strides, offset), {x},
                {{"axis", axis}, {"start", start}, {"count", count}, {"step", step}},
                [shape = x.shape(), axis, start, step, axis_gone](const Tensor& dy) -> Gradients {
                  return {place(axis_gone ? dy.unsqueeze(axis) : dy, shape, axis, start, step)};
                });
}

}  // namespace

Tensor slice(const Tensor& x, int64_t axis, int64_t start, int64_t stop, int64_t step) {
  const int64_t at = wrap_axis("slice", axis, x.dim()), size = x.shape()[at];
  if (step < 1) fail<ValueError>("slice", "step must be at least 1, got {}. Hint: flip() reverses", step);
  const auto clamp = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp(start), count = std::max<int64_t>(clamp(stop) - first, 0);
  return part_of("slice", x, at, first, count > 0 ? (count - 1) / step + 1 : 0, step);
}

Tensor narrow(const Tensor& x, int64_t axis, int64_t start, int64_t length) {
  const int64_t at = wrap_axis("narrow", axis, x.dim()), size = x.shape()[at];
  const int64_t first = start < 0 ? start + size : start;
  if (first < 0 || length < 0 || first > size || length > size - first)
    fail<IndexError>("narrow", "start {} and length {} must lie within axis {} of {}", start, length, axis, x.shape());
  return part_of("slice", x, at, first, length, 1);
}

Tensor select(const Tensor& x, int64_t axis, int64_t index) {
  const int64_t at = wrap_axis("select", axis, x.dim()), size = x.shape()[at];
  if (index < -size || index >= size)
    fail<IndexError>("select", "index must be in [{}, {}] for axis {} of {}, got {}", -size, size - 1, axis, x.shape(),
                     index);
  return part_of("select", x, at, index < 0 ? index + size : index, 1, 1, true);
}

Tensor Tensor::operator[](int64_t i) const { return select(*this, 0, i); }

Tensor place(const Tensor& part, const Shape& shape, int64_t axis, int64_t start, int64_t step) {
  const Tensor y = zeros(shape, {.dtype = part.dtype()});
  compute::put(part, axis, y, start, step);
  return record("place", y, {part}, {{"shape", shape}, {"axis", axis}, {"start", start}, {"step", step}},
                [axis, start, step, count = part.shape()[axis]](const Tensor& dy) -> Gradients {
                  return {slice(dy, axis, start, start + count * step, step)};
                });
}

}  // namespace tapegrad
