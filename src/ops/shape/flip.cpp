// y = x with the entries of some axes in reverse order.
//   dx = dy, reversed again
// The copy reads a view with negative strides.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor flip(const Tensor& x, const Shape& axes) {
  Shape strides = x.strides();
  int64_t offset = 0;
  uint32_t seen = 0;
  for (int64_t axis : axes) {
    const int64_t at = wrap_axis("flip", axis, x.dim());
    if (seen >> at & 1) fail<IndexError>("flip", "axis {} is named twice in {}", axis, axes);
    seen |= 1u << at;
    if (x.numel() > 0) offset += (x.shape()[at] - 1) * strides[at];
    strides[at] = -strides[at];
  }
  const Tensor y = detail::contiguous_copy(detail::new_view(x, x.shape(), strides, offset));
  return record("flip", y, {x}, [axes](const Tensor& dy) -> Gradients { return {flip(dy, axes)}; });
}

}  // namespace tapegrad
